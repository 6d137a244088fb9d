"""What centres post, as bare ASGI: nothing stands between the server and the door.

A framework's middleware costs a small request more than all its checks together.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from schemas.ids import CentreId
from services.eventlog.log import LogUnavailable
from services.eventlog.position import PositionTokens
from services.identity.bearer import TOKEN_PARAMETER, identify, token_in_address
from services.identity.rates import Account, Meter
from services.identity.tokens import Verifier
from services.ingest.batch import events_of
from services.ingest.body import PACE, ClientLeft, InFlight, Pace, Receive, Share, read_body
from services.ingest.cap import read_cap
from services.ingest.content import Content, Form, cap_content_of, content_of
from services.ingest.door import Door, Outcome, Taken, position_after
from services.ingest.reading import Refused, Stated, read, read_binary
from services.ingest.refusals import NONE_TAKEN, not_a_centre
from services.operation.problems import (
    INTERNAL,
    MEDIA_TYPE,
    Counted,
    Problem,
    Text,
    unavailable,
)

type Scope = MutableMapping[str, Any]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/v1/events"
CAP_PATH = "/v1/alerts/cap"
PATHS = (PATH, CAP_PATH)

_JSON = b"application/json"
_TOKEN_IN_QUERY = f"{TOKEN_PARAMETER}=".encode()

logger = structlog.get_logger()


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer, ready to be sent."""

    status: int
    body: bytes
    media_type: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class OneTaken(msgspec.Struct, frozen=True):
    """What became of one event that was taken in."""

    id: str
    position: str
    duplicate: bool


class RefusedPlace(msgspec.Struct, frozen=True):
    """One event of many that was not taken in."""

    index: int
    id: str | None
    problem: dict[str, object]


class ManyTaken(msgspec.Struct, frozen=True):
    """What became of the events of a request that holds many."""

    accepted: int
    duplicates: int
    rejected: list[RefusedPlace]
    position: str | None


@dataclass
class EventsEndpoint:
    """Takes events in over HTTP; an ASGI application of two routes."""

    door: Door
    verifier: Verifier
    tokens: PositionTokens
    in_flight: InFlight = field(default_factory=InFlight)
    pace: Pace = PACE
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    meter: Meter | None = None
    """Without one, a centre may hand in as many events as it likes."""
    seconds: Callable[[], float] = time.monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and count it."""
        began = time.perf_counter()
        answer = await self.answer(scope, receive)
        metrics, path = self.door.metrics, scope["path"]
        metrics.requests.labels(path, "499" if answer is None else str(answer.status)).inc()
        metrics.request_seconds.labels(path).observe(time.perf_counter() - began)
        if answer is None:
            return
        length = str(len(answer.body)).encode()
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", length),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """What the request is answered with; None when its sender has left."""
        try:
            return await self._taken(scope, receive)
        except Problem as problem:
            return self._refused(problem)
        except LogUnavailable:
            return self._refused(
                unavailable(
                    Text(
                        "บันทึกเหตุการณ์ยังไม่ได้ โปรดส่งคำขอเดิมใหม่ เหตุการณ์เดียวกันจะนับครั้งเดียว",
                        "The log does not acknowledge: send the same again, it counts once",
                    ),
                    retry_after_seconds=2,
                )
            )
        except ClientLeft:
            self.door.metrics.refused.labels("client-left").inc()
            return None
        except Exception:
            logger.exception("request_failed", method="POST", route=scope["path"])
            return self._refused(Problem(INTERNAL))

    async def _taken(self, scope: Scope, receive: Receive) -> Answer:
        now = self.clock()
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        with Counted(self.door.metrics):
            if _TOKEN_IN_QUERY in scope.get("query_string", b""):
                raise token_in_address()
            centre = await self._centre(headers, now)
            account = self._account(centre)
        content = (cap_content_of if scope["path"] == CAP_PATH else content_of)(headers)
        if not self.door.registry.is_loaded:
            raise unavailable(
                Text("ยังไม่มีทะเบียนศูนย์และจังหวัด", "The registry of centres is not here yet"),
                retry_after_seconds=5,
            )
        with self.in_flight.account() as share:
            outcomes = await self._outcomes(receive, content, share, centre=centre, now=now)
        many = content.form in (Form.BATCH, Form.NDJSON)
        answer = self._many(outcomes) if many else self._one(outcomes[0])
        return answer if account is None else self._charged(answer, account, len(outcomes))

    def _account(self, centre: CentreId) -> Account | None:
        if self.meter is None:
            return None
        now = self.seconds()
        account = self.meter.account(centre, now=now)
        account.require(now=now)
        return account

    def _charged(self, answer: Answer, account: Account, events: int) -> Answer:
        """The answer with what is left to the centre, after this many events."""
        now = self.seconds()
        account.spend(events, now=now)
        left = tuple(
            (name.encode(), value.encode()) for name, value in account.headers(now=now).items()
        )
        return msgspec.structs.replace(answer, headers=(*answer.headers, *left))

    async def _centre(self, headers: list[tuple[bytes, bytes]], now: datetime) -> CentreId:
        stated = next((value for name, value in headers if name == b"authorization"), None)
        authorization = None if stated is None else stated.decode("latin-1")
        identity = await identify(authorization, self.verifier, now=now)
        if identity.centre is None:
            raise not_a_centre()
        return identity.centre

    async def _outcomes(
        self, receive: Receive, content: Content, share: Share, *, centre: CentreId, now: datetime
    ) -> list[Outcome]:
        body = await read_body(receive, content, share, pace=self.pace)
        self.door.metrics.bytes_in_flight.set(self.in_flight.held)
        if content.form is Form.CAP:
            return await self.door.take([read_cap(body, centre=centre, now=now)], centre=centre)
        return await self.door.take(_readings(content, body, now), centre=centre)

    def _one(self, outcome: Outcome) -> Answer:
        if isinstance(outcome, Refused):
            return _problem(outcome.problem)
        position = position_after([outcome])
        assert position is not None  # noqa: S101 -- what was taken has a place
        return Answer(
            202,
            msgspec.json.encode(
                OneTaken(outcome.id, self.tokens.seal(position), outcome.duplicate)
            ),
        )

    def _many(self, outcomes: list[Outcome]) -> Answer:
        rejected = [
            RefusedPlace(index, outcome.id, outcome.problem.body())
            for index, outcome in enumerate(outcomes)
            if isinstance(outcome, Refused)
        ]
        taken = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
        duplicates = sum(outcome.duplicate for outcome in taken)
        position = position_after(taken)
        if rejected and not taken:
            return _problem(_none_taken(rejected))
        return Answer(
            202,
            msgspec.json.encode(
                ManyTaken(
                    len(taken) - duplicates,
                    duplicates,
                    rejected,
                    None if position is None else self.tokens.seal(position),
                )
            ),
        )

    def _refused(self, problem: Problem) -> Answer:
        self.door.metrics.refused.labels(problem.kind.slug).inc()
        return _problem(problem)


def _readings(content: Content, body: bytes, now: datetime) -> Iterator[Stated | Refused]:
    """The body's events, each read when the door asks for it."""
    match content.form:
        case Form.STRUCTURED:
            yield read(body, now=now)
        case Form.BINARY:
            yield read_binary(content.attributes, body, now=now)
        case Form.BATCH | Form.NDJSON:
            for raw in events_of(content.form, body):
                yield read(raw, now=now)


def _none_taken(rejected: list[RefusedPlace]) -> Problem:
    return Problem(
        NONE_TAKEN,
        Text("ดูเหตุผลของแต่ละเหตุการณ์ใน rejected", "The reason of each event is in rejected"),
        extensions={"accepted": 0, "duplicates": 0, "rejected": rejected, "position": None},
    )


def _problem(problem: Problem) -> Answer:
    headers = tuple((n.lower().encode(), v.encode()) for n, v in problem.headers.items())
    return Answer(
        problem.kind.status, msgspec.json.encode(problem.body()), MEDIA_TYPE.encode(), headers
    )
