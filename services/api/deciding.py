"""Requests that decide: who sends them, under which key, with which body, and what came of it.

The id of a decision's event is made of its sender and the Idempotency-Key, so a request that is
sent again finds what it decided. Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from schemas.envelope import DECISIONS_SLOT, Envelope
from schemas.events import EventModel
from schemas.ids import Realm
from services.api.bodies import self_contained
from services.api.problems import KEY_USED
from services.domain.decider import Decider
from services.domain.rejected import Rejected
from services.eventlog.position import Position, PositionTokens
from services.eventlog.store import DecisionStore, StoredEvent
from services.eventlog.transact import Decided, Judge, Judged, state_of, transact_guarded
from services.identity.identity import Identity
from services.operation import problems
from services.operation.problems import Problem, Text

MAX_BODY_BYTES = 1024 * 1024

_DIGEST = "requestdigest"
"""The extension attribute of a decision that tells its request from another under the same key."""

_NAMES = UUID("5b2b6b0c-3b0c-5b6e-9d0e-0e6f3b6f5a11")


async def _key(
    idempotency_key: Annotated[
        str,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="Chosen by the sender, a UUID say. The same request under the same key is "
            "decided once and answered alike.",
        ),
    ],
) -> str:
    """The key without the quotes that it has as a structured field (RFC 9651)."""
    return idempotency_key.strip('"') or idempotency_key


IdempotencyKey = Annotated[str, Depends(_key)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A decision as it was sent: by whom, under which key, saying what."""

    identity: Identity
    key: str
    digest: str
    realm: Realm = "actual"

    @property
    def source(self) -> str:
        """The URI of the office that decides."""
        return f"/offices/{str(self.identity).replace(':', '/', 1)}"

    @property
    def id(self) -> str:
        """The id of the event that the request makes."""
        said = f"{self.identity}\n{self.key}"
        return str(uuid5(_NAMES, said if self.realm == "actual" else f"{said}\n{self.realm}"))

    def envelope(self, event: EventModel, *, subject: str, now: datetime) -> Envelope:
        """The envelope of the event that the request makes."""
        return Envelope(
            id=self.id,
            source=self.source,
            type=event.type,
            time=now,
            subject=subject,
            realm=self.realm,
            extensions={_DIGEST: self.digest},
        )

    def made(self, stored: Iterable[StoredEvent]) -> StoredEvent | None:
        """What a request under this key has made before; None when there was none.

        Raises:
            Problem: 422, that request said something else.
        """
        for event in stored:
            if (event.envelope.source, event.envelope.id) == (self.source, self.id):
                if event.envelope.extensions.get(_DIGEST) != self.digest:
                    raise Problem(KEY_USED)
                return event
        return None

    def unless_made[State](self, judge: Judge[State]) -> Judge[State]:
        """Nothing has to change where the request has been decided before."""

        async def judged(state: State, stored: Sequence[StoredEvent]) -> Judged:
            return await judge(state, stored) if self.made(stored) is None else Judged([])

        return judged


async def body_of[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    """The body as this model; read only after it is known who sends it.

    Raises:
        Problem: 413, it is larger than 1 MiB.
        RequestValidationError: it is no JSON or not of this model; the answer is 422.
    """
    content = await _read(request)
    try:
        return model.model_validate_json(content, strict=True, extra="forbid")
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False, include_context=False)
        located = [{**error, "loc": _place(error["loc"], content)} for error in errors]
        raise RequestValidationError(located) from None


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI has a body that `body_of` reads, with the model's own example."""
    schema = self_contained(model.model_json_schema(mode="validation"))
    (example,) = schema.pop("examples")
    content = {"schema": schema, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def digest_of(body: BaseModel) -> str:
    """Equal for bodies that say the same, however they were written."""
    return blake2b(body.model_dump_json().encode(), digest_size=16).hexdigest()


def digest_at(path: str, body: BaseModel) -> str:
    """As `digest_of`, where the path says what the body is about: it is a part of what is said."""
    said = f"{path}\n{digest_of(body)}".encode()
    return blake2b(said, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Decisions[State]:
    """What is decided of one subject of a decider, by requests with a key."""

    store: DecisionStore
    decider: Decider[State]
    id: str

    async def once(
        self, sent: Sent, judge: Judge[State], *, envelope: Callable[[EventModel, int], Envelope]
    ) -> Decided[State]:
        """Decided once for the key; sent again, what it made is found in the stream.

        Raises:
            Problem: 422, the key was used for another request.
            Rejected: as the rules have it.
        """
        try:
            decided = await transact_guarded(
                self.store, self.decider, self.id, sent.unless_made(judge), envelope=envelope
            )
        except Rejected:
            # The same request beside this one may have decided it between two looks.
            stored = await self.store.load(self.decider.stream(self.id))
            if sent.made(stored) is None:
                raise
            return Decided([], state_of(self.decider, stored), stored)
        if decided.known:
            raise Problem(KEY_USED)
        return decided

    async def made(
        self,
        sent: Sent,
        decide: Callable[[State], list[EventModel]],
        *,
        subject: str,
        now: datetime,
    ) -> StoredEvent:
        """What the request made; where nothing had to change, the last word on the subject.

        Raises: as `once`.
        """

        async def judge(state: State, _: Sequence[StoredEvent]) -> Judged:
            return Judged(decide(state))

        def envelope(event: EventModel, _version: int) -> Envelope:
            return sent.envelope(event, subject=subject, now=now)

        decided = await self.once(sent, judge, envelope=envelope)
        return sent.made(decided.stream) or decided.stream[-1]


def token_after(event: StoredEvent, tokens: PositionTokens) -> str:
    """The position token behind a decision: with `after`, an answer that knows it."""
    return tokens.seal(Position({DECISIONS_SLOT: event.position + 1}))


def _place(location: Sequence[int | str], content: bytes) -> tuple[int | str, ...]:
    """Where it is in the body; a clause's `act`, which the model names too, is no place in it."""
    data: Any = json.loads(content) if location else None
    place: list[int | str] = ["body"]
    for step in location:
        if isinstance(data, dict) and data.get("act") == step:
            continue
        place.append(step)
        is_there = step in data if isinstance(data, dict) else isinstance(data, list)
        data = data[step] if is_there else None
    return tuple(place)


async def _read(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            at_most = Text("รับได้ไม่เกิน 1 MiB", "At most 1 MiB is taken")
            raise Problem(problems.BODY_TOO_LARGE, at_most)
    return bytes(content)
