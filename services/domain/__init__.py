"""Rules: pure functions of state and request. No clock, no I/O, no framework."""
