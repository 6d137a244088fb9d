"""Reading the topic `decisions`: apply the last position + 1, drop what is there, stop on a gap."""

from collections.abc import Sequence

from services.eventlog.log import Record

_POSITION = "ce_position"


class Gap(Exception):
    """The topic skips a position: it is not this store's, or it lost something."""

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(f"expected decision {expected}, found {found}")
        self.expected = expected
        self.found = found


def position_of(record: Record) -> int:
    """The decision's position in the store, as the relay wrote it on the message."""
    return next(int(value) for name, value in record.headers if name == _POSITION)


def fresh(records: Sequence[Record], expected: int) -> list[Record]:
    """The records from position `expected` on, each once; doubles, which relays may write, are out.

    The position expected next is `expected` plus the length of what is returned.

    Raises:
        Gap: a position is missing. Nothing after it may be applied.
    """
    found: list[Record] = []
    for record in records:
        awaited = expected + len(found)
        position = position_of(record)
        if position > awaited:
            raise Gap(expected=awaited, found=position)
        if position == awaited:
            found.append(record)
    return found
