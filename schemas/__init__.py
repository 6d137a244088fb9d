"""Contracts between processes: envelope, event types, positions. No logic, no I/O."""
