"""What a command cannot do, said to the person who asked for it."""


class Refusal(Exception):
    """A command does not do this; the message says why, and what to do instead."""
