"""What a rule says when it says no."""


class Rejected(Exception):
    """A rule refused. Subclasses are named as the fact and carry what a person needs to know.

    `rule` is stable: it is what outsiders see as the problem's type.
    """

    rule: str = "rejected"
