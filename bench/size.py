"""How much is measured: the published size, and a small one that only proves that it works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Events, seconds and runs of each row."""

    runs: int
    ingest_events: int
    single_posts: int
    append_events: int
    projected_events: int
    open_seconds: int
    history: int
    """Events of history under the reads; the long history has five times as many."""
    million: int
    past: int
    """Events of history under the reads of past moments."""
    centres: int
    """Centres beside those of the provinces, under the same reads."""
    subscribers: int
    """Webhooks that are told of one directive at once."""


FULL = Size(
    runs=5,
    ingest_events=40_000,
    single_posts=4_000,
    append_events=6_400,
    projected_events=20_000,
    open_seconds=20,
    history=1_000_000,
    million=1_000_000,
    past=5_000_000,
    centres=10_000,
    subscribers=1_000,
)
QUICK = Size(
    runs=3,
    ingest_events=5_000,
    single_posts=500,
    append_events=1_600,
    projected_events=6_000,
    open_seconds=4,
    history=20_000,
    million=20_000,
    past=20_000,
    centres=200,
    subscribers=154,
)
