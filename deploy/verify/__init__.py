"""Checking a signed event without Kamkap: one file that needs nothing of it."""
