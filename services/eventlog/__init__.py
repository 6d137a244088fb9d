"""The log port and its homes, the decision store, the relay, ticks and position tokens."""
