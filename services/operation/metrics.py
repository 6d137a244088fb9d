"""Every figure the network keeps about itself, under Prometheus' names, in one place."""

import time
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

_APPEND_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one process. A label's values are few: reasons, models, routes; never ids."""

    registry: CollectorRegistry

    accepted: Counter
    """Events acknowledged to a centre. `way` is `http` or `inbox`."""
    refused: Counter
    """Events and requests a door refused. `reason` is the problem's slug."""
    duplicates: Counter
    """Events a door knew to be in the log already."""
    conflicts: Counter
    """Events a door knew to carry an id already taken by other content."""
    append_seconds: Histogram
    """Seconds from handing messages to the log to its acknowledgement. `topic` names it."""
    bytes_in_flight: Gauge
    """Bytes of request bodies a door holds at the moment."""

    lag: Gauge
    """Events that the read models have not applied. `projection` is the topic they come by."""
    freshness_seconds: Gauge
    """Seconds for which the oldest event that is not applied has been known; 0 when none waits."""
    parked: Gauge
    """Facts that wait because one of their key could not be applied. `projection` names it."""
    quarantined: Gauge
    """Messages that could not be read at all and are not resolved."""

    tick_age_seconds: Gauge
    """Seconds since the last tick; above 15 the network does not count as listening."""
    unpublished: Gauge
    """Decisions made that the relay has not published to the topic `decisions`."""

    turned_away: Counter
    """Requests refused for who sent them, or how many they had sent. `reason` is one of few."""
    requests: Counter
    """HTTP answers. `route` is the path's pattern, `status` the code."""
    request_seconds: Histogram
    """Seconds from a request's first byte to its answer's last. `route` as above."""

    @classmethod
    def new(cls) -> "Metrics":
        """Figures at zero, in a registry of their own."""
        # The time at which a counter began says nothing that its reset does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"kamkap_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"kamkap_{name}", meaning, labels, registry=registry)

        def seconds(name: str, meaning: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"kamkap_{name}_seconds", meaning, [label], buckets=buckets, registry=registry
            )

        return cls(
            registry=registry,
            accepted=counter("events_accepted", "Events acknowledged", "way"),
            refused=counter("events_refused", "Events and requests refused", "reason"),
            duplicates=counter("events_duplicate", "Events known to be in the log already"),
            conflicts=counter("events_conflicting", "Events whose id other content has"),
            append_seconds=seconds(
                "log_append", "Until the log is durable", "topic", _APPEND_BUCKETS
            ),
            bytes_in_flight=gauge("bytes_in_flight", "Bytes of bodies held"),
            lag=gauge("projection_lag_events", "Events not yet applied", "projection"),
            freshness_seconds=gauge(
                "projection_freshness_seconds", "The oldest unapplied event has been known"
            ),
            parked=gauge("parked_facts", "Facts that wait for a fix", "projection"),
            quarantined=gauge("quarantined_messages", "Messages nobody could read"),
            tick_age_seconds=gauge("tick_age_seconds", "Since the last tick"),
            unpublished=gauge("decisions_unpublished", "Decisions not yet published"),
            turned_away=counter("requests_turned_away", "Requests of nobody believed", "reason"),
            requests=counter("http_requests", "HTTP answers", "route", "status"),
            request_seconds=seconds("http_request", "Until answered", "route", _REQUEST_BUCKETS),
        )

    def ticked(self, moment: datetime) -> None:
        """The last tick was at this moment; its age grows by itself from here."""
        stamp = moment.timestamp()
        self.tick_age_seconds.set_function(lambda: time.time() - stamp)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
