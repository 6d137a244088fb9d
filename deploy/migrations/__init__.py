"""Forward-only migrations of what is not derived from the log."""
