"""Places in the feed and the stream: a decision position, sealed for one reader in one epoch."""

from schemas.envelope import DECISIONS_SLOT
from services.eventlog.position import Position, PositionTokens

_OF_THE_FEED = "feed\n"


class Places:
    """Seals and opens the places of the feed."""

    def __init__(self, tokens: PositionTokens) -> None:
        self._tokens = tokens

    def seal(self, reader: str, position: int) -> str:
        """The place before this decision position."""
        at = Position({DECISIONS_SLOT: position})
        return self._tokens.seal(at, reader=_OF_THE_FEED + reader)

    def open(self, reader: str, place: str) -> int:
        """The decision position of a place that was sealed for the reader.

        Raises:
            BadToken: it is no place, or another reader's, or of an epoch before a restore.
        """
        return self._tokens.open(place, reader=_OF_THE_FEED + reader).next[DECISIONS_SLOT]
