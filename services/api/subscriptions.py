"""Webhooks: who is told of directives where, of which, and what came of each attempt.

A subscription is its identity's own: nobody else learns that it is there. It is operational state
and no fact: the answers are for now, whatever the pair.
"""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict
from starlette.responses import Response

from schemas.events.directive import DirectiveKind
from schemas.events.model import Key, Province
from schemas.events.situation import Severity
from schemas.ids import Realm
from services.api.answers import answer, answer_page, read_responses
from services.api.bodies import Body, Page, When
from services.api.database import Connection, Row, transaction_for
from services.api.deciding import IdempotencyKey, Sent, body_of, digest_of, request_body
from services.api.directive_rows import readership
from services.api.orders import Begins
from services.api.problems import BAD_CURSOR, KEY_USED, documented, forbidden, not_found
from services.api.reading import Asked, Asker, Listed, Listing, Opened, Resources, registry_now
from services.domain.endpoints import MAX_URL, check_url
from services.domain.issuing import Circumstances
from services.domain.readership import readership_of
from services.domain.subscriptions import check_number
from services.identity.identity import Identity
from services.identity.signing import SECRET_BYTES, Signing, SigningSecret
from services.operation.problems import Problem
from services.readmodels.statements import fetch

router = APIRouter(tags=["subscriptions"])

OVERLAP = timedelta(hours=24)
"""How long the secret before still signs beside a new one."""

_ITEM = """
SELECT s.id, s.owner, s.realm, s.url, s.signing, s.filter::text AS filter, s.digest, s.created_at,
       s.failing, s.disabled_at, s.disabled_because,
       (SELECT count(*) FROM outward.deliveries d
        WHERE d.subscription = s.id AND d.state = 'waiting') AS waiting,
       ARRAY(SELECT k.public_key FROM outward.secrets k
             WHERE k.subscription = s.id AND k.ends_at > :now AND k.public_key IS NOT NULL
             ORDER BY k.number DESC) AS public_keys
FROM outward.subscriptions s
"""
_ONE = f"{_ITEM} WHERE s.id = :id"
_OWN = f"""
{_ITEM} WHERE s.owner = :reader AND (CAST(:last AS uuid) IS NULL OR s.id > :last)
ORDER BY s.id LIMIT :limit
"""
_HELD = "SELECT count(*) AS held FROM outward.subscriptions WHERE owner = :reader"
# What is decided from now on is told.
_ADD = """
INSERT INTO outward.subscriptions
    (id, owner, realm, url, signing, filter, digest, created_at, cursor)
SELECT CAST(:id AS uuid), CAST(:reader AS text), CAST(:realm AS text), CAST(:url AS text),
       CAST(:signing AS text), CAST(CAST(:filter AS text) AS jsonb), CAST(:digest AS text),
       CAST(:now AS timestamptz), next_position
FROM decisions.head ON CONFLICT DO NOTHING
RETURNING id
"""
_SIGN_WITH = """
INSERT INTO outward.secrets (subscription, number, sealed, public_key, made_at)
SELECT CAST(:id AS uuid), coalesce(max(number), 0) + 1, CAST(:sealed AS bytea),
       CAST(:public_key AS text), CAST(:now AS timestamptz)
FROM outward.secrets WHERE subscription = :id
"""
# The newest goes on for a while; what was on its way out already ends with this.
_END_OTHERS = """
UPDATE outward.secrets k
SET ends_at = CASE WHEN k.number = newest.number THEN :until ELSE least(k.ends_at, :now) END
FROM (SELECT max(number) AS number FROM outward.secrets WHERE subscription = :id) newest
WHERE k.subscription = :id
"""
_DELETE = "DELETE FROM outward.subscriptions WHERE id = :id RETURNING id"
# The subscription is locked before its deliveries, and they in their order, as dispatchers do: else
# one of both is cut off by the database.
_ENABLE = """
WITH enabled AS (
    UPDATE outward.subscriptions
    SET disabled_at = NULL, disabled_because = NULL, failing = FALSE
    WHERE id = :id RETURNING id
), unsettled AS (
    SELECT d.subscription, d.position
    FROM enabled JOIN outward.deliveries d ON d.subscription = enabled.id
    WHERE d.state IN ('waiting', 'undeliverable')
    ORDER BY d.position FOR UPDATE OF d
)
UPDATE outward.deliveries d
SET state = 'waiting', tries = 0, first_at = NULL, next_at = :now
FROM unsettled u WHERE d.subscription = u.subscription AND d.position = u.position
"""
# A tick's last end is that of decisions; before the first tick nothing was decided.
_REPLAY = """
UPDATE outward.subscriptions SET cursor = least(cursor, coalesce(
    (SELECT ends[65] FROM eventlog.ticks WHERE time <= :since ORDER BY time DESC LIMIT 1), 0))
WHERE id = :id
"""
_EXAMPLE: JsonDict = {
    "url": "https://hooks.moi.example/kamkap",
    "filter": {"provinces": ["TH-83", "TH-82"], "kinds": ["order", "suspension"]},
    "signing": "ed25519",
}

SubscriptionPath = Annotated[
    UUID, Path(alias="id", examples=["0b2c8c1e-4f0a-5a53-9d0c-6a9f6f0d3a11"])
]


class Filter(Body):
    """Which directives: any of each list, all of the lists together. What is left out is any."""

    provinces: Annotated[list[Province], Field(min_length=1, max_length=77)] | None = None
    """Addressed to it, or carried out there."""
    ministries: Annotated[list[Key], Field(min_length=1, max_length=100)] | None = None
    """Addressed to it, or to a department of it."""
    agendas: Annotated[list[Key], Field(min_length=1, max_length=100)] | None = None
    kinds: Annotated[list[DirectiveKind], Field(min_length=1, max_length=5)] | None = None
    severities: Annotated[list[Severity], Field(min_length=1, max_length=4)] | None = None
    """Of the directive's incident as it is now."""


class SubscriptionBody(Body):
    """Where to be told, of what, and how it is signed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    url: Annotated[str, Field(min_length=1, max_length=MAX_URL)]
    """HTTPS, leading to a public address."""
    realm: Realm = "actual"
    """`exercise` is an integrator's sandbox: nothing of one realm is ever told in another."""
    filter: Filter = Filter()
    signing: Signing = "hmac"
    """`hmac`: `v1` with a shared secret. `ed25519`: `v1a`, checked with a public key."""


class ReplayBody(Body):
    """From when on everything is told again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": "2026-01-01"}]})

    since: Annotated[Begins, Field(alias="from")]
    """RFC 3339 with an offset, or a date. What is told again keeps its `webhook-id`."""


class Subscription(Body):
    """Where an identity is told, and how that goes."""

    id: UUID
    url: str
    realm: Realm
    filter: Filter
    signing: Signing
    public_keys: list[str]
    """`whpk_…`, the newest first, those that end within a day beside it; none where a shared secret
    signs."""
    created_at: When
    state: Literal["active", "failing", "disabled"]
    """`failing`: the last attempt failed, and it is tried with one delivery at a time."""
    disabled_at: When | None
    disabled_because: Literal["gone", "undeliverable"] | None
    """It answered 410, or took nothing in for 75 hours. `POST …/enable` begins again."""
    waiting: int
    """How many notices wait to be delivered."""


class NewSubscription(Subscription):
    """A subscription with its secret, which is shown this once."""

    secret: str | None
    """`whsec_…`, or the public key; null where the same request was answered before: ask for
    another secret."""


class SubscriptionPage(Page[Subscription]):
    """The asker's own subscriptions, by id."""


@router.post(
    "/v1/subscriptions",
    status_code=201,
    response_model=NewSubscription,
    responses=documented(400, 401, 403, 409, 413, 422, 503),
    openapi_extra=request_body(SubscriptionBody),
)
async def subscribe(
    identity: Asker, key: IdempotencyKey, request: Request, resources: Opened
) -> NewSubscription:
    """From now on the asker is told of directives at this address (Standard Webhooks).

    The answer shows the secret, once. The same request again is answered without it.
    """
    await _require_reader(identity, resources)
    body = await body_of(request, SubscriptionBody)
    check_url(body.url, loopback=resources.webhooks_loopback)
    sent = Sent(identity, key, digest_of(body))
    secret = SigningSecret(body.signing, secrets.token_bytes(SECRET_BYTES))
    now = resources.clock()
    async with transaction_for(resources.pool, str(identity)) as connection:
        is_new = await _add(connection, sent, body, now=now)
        if is_new:
            await _add_secret(connection, UUID(sent.id), secret, resources, now=now)
        row = await own_one(connection, UUID(sent.id), now=now)
    if row.digest != sent.digest:
        raise Problem(KEY_USED)
    return NewSubscription(**_told(row), secret=secret.shown if is_new else None)


@router.get("/v1/subscriptions", responses=read_responses(403), response_model=SubscriptionPage)
async def list_subscriptions(request: Request, listed: Listed) -> Response:
    """The asker's own subscriptions."""
    question = listed.question
    readership(question)
    rows = await question.rows(
        _OWN,
        reader=str(question.identity),
        now=question.resources.clock(),
        last=_last_id(listed),
        limit=listed.limit + 1,
    )
    page = rows[: listed.limit]
    last = [str(page[-1].id)] if len(rows) > len(page) else None
    items = [Subscription(**_told(row)) for row in page]
    return answer_page(request, listed, SubscriptionPage(items=items), last)


@router.get("/v1/subscriptions/{id}", responses=read_responses(404), response_model=Subscription)
async def get_subscription(request: Request, question: Asked, id_: SubscriptionPath) -> Response:
    """One of the asker's own subscriptions."""
    row = await own_one(question.connection, id_, now=question.resources.clock())
    return answer(request, question, Subscription(**_told(row)))


@router.delete(
    "/v1/subscriptions/{id}", status_code=204, responses=documented(400, 401, 403, 404, 503)
)
async def unsubscribe(id_: SubscriptionPath, asker: Asker, resources: Opened) -> None:
    """Nothing more is sent there, and nothing is kept of it."""
    async with transaction_for(resources.pool, str(asker)) as connection:
        if not await fetch(connection, _DELETE, {"id": id_}):
            raise not_found()


@router.post(
    "/v1/subscriptions/{id}/secret",
    status_code=201,
    response_model=NewSubscription,
    responses=documented(400, 401, 403, 404, 503),
)
async def rotate_secret(id_: SubscriptionPath, asker: Asker, resources: Opened) -> NewSubscription:
    """Another secret signs from now on, and the one before beside it for a day."""
    now = resources.clock()
    async with transaction_for(resources.pool, str(asker)) as connection:
        row = await own_one(connection, id_, now=now)
        secret = SigningSecret(row.signing, secrets.token_bytes(SECRET_BYTES))
        await fetch(connection, _END_OTHERS, {"id": id_, "until": now + OVERLAP, "now": now})
        await _add_secret(connection, id_, secret, resources, now=now)
        row = await own_one(connection, id_, now=now)
    return NewSubscription(**_told(row), secret=secret.shown)


@router.post(
    "/v1/subscriptions/{id}/replay",
    status_code=202,
    response_model=Subscription,
    responses=documented(400, 401, 403, 404, 413, 422, 503),
    openapi_extra=request_body(ReplayBody),
)
async def replay_subscription(
    request: Request, id_: SubscriptionPath, asker: Asker, resources: Opened
) -> Subscription:
    """Everything that became known since this moment is told again, under the same ids."""
    body = await body_of(request, ReplayBody)
    return await _changed(id_, asker, resources, _REPLAY, since=body.since)


@router.post(
    "/v1/subscriptions/{id}/enable",
    status_code=202,
    response_model=Subscription,
    responses=documented(400, 401, 403, 404, 503),
)
async def enable_subscription(
    id_: SubscriptionPath, asker: Asker, resources: Opened
) -> Subscription:
    """A disabled subscription begins again, with what it missed."""
    return await _changed(id_, asker, resources, _ENABLE)


async def _require_reader(identity: Identity, resources: Resources) -> None:
    """Some directive is for this identity, now.

    Raises:
        Problem: 403, none ever is.
    """
    registry = await registry_now(resources)
    orders = await resources.orders.read()
    matrix = orders.matrix(resources.clock())
    if readership_of(identity, Circumstances(matrix, registry)).is_empty:
        raise forbidden()


async def _add(
    connection: Connection, sent: Sent, body: SubscriptionBody, *, now: datetime
) -> bool:
    """The subscription is there; whether it was not before."""
    owner, id_ = str(sent.identity), UUID(sent.id)
    if await fetch(connection, _ONE, {"id": id_, "now": now}):
        return False
    (row,) = await fetch(connection, _HELD, {"reader": owner})
    check_number(row.held)
    stated: dict[str, object] = {
        "id": id_,
        "reader": owner,
        "realm": body.realm,
        "url": body.url,
        "signing": body.signing,
        "filter": body.filter.model_dump_json(exclude_none=True),
        "digest": sent.digest,
        "now": now,
    }
    # None when the same request beside this one was faster.
    return bool(await fetch(connection, _ADD, stated))


async def _add_secret(
    connection: Connection,
    id_: UUID,
    secret: SigningSecret,
    resources: Resources,
    *,
    now: datetime,
) -> None:
    sealed = resources.seal.seal(secret, subscription=id_)
    named = {"id": id_, "sealed": sealed, "public_key": secret.public_key, "now": now}
    await fetch(connection, _SIGN_WITH, named)


async def own_one(connection: Connection, id_: UUID, *, now: datetime) -> Row:
    """The reader's own: row security gives no other.

    Raises:
        Problem: 404.
    """
    rows = await fetch(connection, _ONE, {"id": id_, "now": now})
    if not rows:
        raise not_found()
    return rows[0]


async def _changed(
    id_: UUID, asker: Identity, resources: Resources, sql: str, **named: object
) -> Subscription:
    now = resources.clock()
    async with transaction_for(resources.pool, str(asker)) as connection:
        await own_one(connection, id_, now=now)
        await fetch(connection, sql, {"id": id_, "now": now, **named})
        row = await own_one(connection, id_, now=now)
    return Subscription(**_told(row))


def _told(row: Row) -> dict[str, Any]:
    state = "disabled" if row.disabled_at else "failing" if row.failing else "active"
    same = ("id", "url", "realm", "signing", "public_keys", "created_at", "disabled_at",
            "disabled_because", "waiting")  # fmt: skip
    filter_ = Filter.model_validate_json(row.filter)
    return {**{name: row[name] for name in same}, "filter": filter_, "state": state}


def _last_id(listed: Listing) -> UUID | None:
    match listed.last:
        case None:
            return None
        case [str(id_)]:
            return UUID(id_)
        case _:
            raise Problem(BAD_CURSOR)
