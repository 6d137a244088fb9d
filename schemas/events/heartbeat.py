"""A centre is there and has nothing else to say."""

from typing import ClassVar, Literal

from schemas.events.model import Count, EventModel, Name


class HeartbeatSent(EventModel):
    """The centre is alive. Every other event of it counts as a sign of life too."""

    type: ClassVar[str] = "heartbeat.sent.v1"

    status: Literal["ok", "degraded"] = "ok"
    software: Name | None = None
    spooled: Count = 0
    """Events written down at the centre and not sent yet."""
    sequence_reset: bool = False
    """The centre was reinstalled: its `sequence` starts again here, what is missing before is not
    looked for any more."""
