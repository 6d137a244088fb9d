"""Who calls the gateway: a token, or a browser's session; and how often they may."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from services.api import session as session_pages
from services.api.openapi import document_of
from services.api.reading import Asker
from services.identity.caller import Reception
from services.identity.identity import Identity
from services.identity.issuer import Issuer, verifier_of
from services.identity.origin import COOKIE, LOOPBACK_COOKIE
from services.identity.rates import Meter, Rate
from services.identity.sessions import Sessions
from services.operation import problems
from services.operation.metrics import Metrics
from services.operation.requests import Requests
from services.operation.settings import Settings
from tests.api.country import SECRET

HERE = "http://127.0.0.1"
PUBLIC = "https://kamkap.example"


@dataclass
class Gate:
    """An application behind a reception, a browser's jar, and clocks that are told the time."""

    app: FastAPI
    reception: Reception
    issuer: Issuer
    client: httpx.AsyncClient
    now: datetime
    seconds: float = 0.0

    def token(self, identity: str = "pm", *, lifetime: timedelta = timedelta(hours=1)) -> str:
        """An Authorization header's content."""
        speaker = Identity.parse(identity)
        return f"Bearer {self.issuer.issue(speaker, now=self.now, lifetime=lifetime)}"

    async def open(self, identity: str = "pm") -> SimpleCookie:
        """The cookie of a new session."""
        headers = {"Authorization": self.token(identity)}
        answer = await self.client.post("/v1/session", headers=headers)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        return SimpleCookie(answer.headers["set-cookie"])

    async def ask(
        self, method: str = "GET", *, headers: Mapping[str, str] | None = None, path: str = "/who"
    ) -> httpx.Response:
        """What the application says to this request."""
        return await self.client.request(method, path, headers=headers)

    def turned_away(self, reason: str) -> float:
        """How many were, for this reason."""
        name = "kamkap_requests_turned_away_total"
        registry = self.reception.metrics.registry
        return registry.get_sample_value(name, {"reason": reason}) or 0.0


@asynccontextmanager
async def open_gate(
    home: Path, *, rate: Rate | None = None, public: str | None = None, address: str = HERE
) -> AsyncIterator[Gate]:
    settings, metrics = Settings(home=home), Metrics.new()
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    gate: Gate
    reception = Reception(
        verifier_of(settings),
        Sessions(SECRET),
        metrics,
        meter=None if rate is None else Meter(rate),
        public_origin=public,
        clock=lambda: gate.now,
        seconds=lambda: gate.seconds,
    )
    app.state.reception = reception
    problems.install(app)
    app.add_middleware(Requests, metrics=metrics)
    app.include_router(_who())
    app.include_router(session_pages.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address) as client:
        gate = Gate(app, reception, Issuer.open(settings), client, datetime.now(UTC))
        yield gate


def _who() -> APIRouter:
    """A read and a change, which say who sent them."""
    router = APIRouter()

    @router.get("/who")
    async def who_reads(identity: Asker) -> str:
        """Who asks."""
        return str(identity)

    @router.post("/who")
    async def who_changes(identity: Asker) -> str:
        """Who changes something."""
        return str(identity)

    return router


def cookie_header(cookie: SimpleCookie, **headers: str) -> dict[str, str]:
    """A browser's headers with the cookie."""
    return {
        "Cookie": "; ".join(f"{name}={one.value}" for name, one in cookie.items()),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


async def test_a_token_buys_a_session_that_reads_as_its_identity(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        cookie = await gate.open("deputy:a")
        answer = await gate.ask(headers=cookie_header(cookie))
        assert (answer.status_code, answer.json()) == (200, "deputy:a")


async def test_the_answer_says_whose_and_until_when(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.ask("POST", path="/v1/session", headers={"Authorization": gate.token()})
        assert answer.json()["identity"] == "pm"
        until = datetime.fromisoformat(answer.json()["expires_at"])
        assert abs(until - gate.now - timedelta(hours=1)) <= timedelta(seconds=1)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("address", "public", "name", "secure"),
    [
        (HERE, None, LOOPBACK_COOKIE, False),
        ("http://localhost:8000", None, LOOPBACK_COOKIE, False),
        ("http://[::1]:8000", None, LOOPBACK_COOKIE, False),
        ("http://192.0.2.7", None, COOKIE, True),
        ("https://127.0.0.1", None, COOKIE, True),
        (HERE, PUBLIC, COOKIE, True),
    ],
)
async def test_the_cookie_is_this_hosts_alone_and_secure_but_on_loopback(
    tmp_path: Path, address: str, public: str | None, name: str, secure: bool
) -> None:
    async with open_gate(tmp_path, address=address, public=public) as gate:
        cookie = (await gate.open())[name]
        assert bool(cookie["secure"]) is secure
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "strict"
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert 3590 <= int(cookie["max-age"]) <= 3600


async def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        cookie = await gate.open()
        gate.now += timedelta(hours=1)
        answer = await gate.ask(headers=cookie_header(cookie))
        assert (answer.status_code, answer.json()["reason"]) == (401, "SessionOver")
        assert gate.turned_away("SessionOver") == 1


async def test_a_session_that_was_closed_is_over(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        cookie = await gate.open()
        closing = cookie_header(cookie, Origin=HERE)
        answer = await gate.ask("DELETE", path="/v1/session", headers=closing)
        assert answer.status_code == 204
        assert SimpleCookie(answer.headers["set-cookie"])[LOOPBACK_COOKIE]["max-age"] == "0"
        assert (await gate.ask(headers=cookie_header(cookie))).status_code == 401


async def test_a_session_opens_no_other_session(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        headers = cookie_header(await gate.open(), Origin=HERE)
        answer = await gate.ask("POST", path="/v1/session", headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (401, "NoToken")


SAME = {"Origin": HERE, "Sec_Fetch_Site": "same-origin"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (SAME, 200),
        ({"Origin": HERE}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:9"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        (SAME | {"Origin": "https://elsewhere.example"}, 403),
        (SAME | {"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
async def test_with_a_cookie_only_a_page_of_this_origin_changes_something(
    tmp_path: Path, sent: dict[str, str], status: int
) -> None:
    async with open_gate(tmp_path) as gate:
        cookie = await gate.open()
        answer = await gate.ask("POST", headers=cookie_header(cookie, **sent))
        assert answer.status_code == status
        assert gate.turned_away("cross-site") == (status == 403)
        assert (await gate.ask(headers=cookie_header(cookie, **sent))).status_code == 200


async def test_behind_a_proxy_the_public_origin_counts_and_no_header_of_anybodys(
    tmp_path: Path,
) -> None:
    async with open_gate(tmp_path, public=PUBLIC) as gate:
        cookie = await gate.open()
        forwarded = {"X_Forwarded_Host": "elsewhere.example", "X_Forwarded_Proto": "http"}
        for origin, status in ((PUBLIC, 200), (HERE, 403), ("http://elsewhere.example", 403)):
            headers = cookie_header(cookie, Origin=origin, **forwarded)
            assert (await gate.ask("POST", headers=headers)).status_code == status


async def test_a_bearer_token_wins_over_a_cookie_also_when_it_is_not_believed(
    tmp_path: Path,
) -> None:
    async with open_gate(tmp_path) as gate:
        cookie = await gate.open("pm")
        both = cookie_header(cookie, Authorization=gate.token("analyst"))
        assert (await gate.ask("POST", headers=both)).json() == "analyst"
        for nobody in ("Bearer x.y.z", "Basic cG06cG0=", ""):
            headers = cookie_header(cookie, Authorization=nobody)
            assert (await gate.ask(headers=headers)).status_code == 401


async def test_a_token_in_the_address_is_refused_whatever_else_is_sent(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        token = gate.token()
        path = f"/who?access_token={token.removeprefix('Bearer ')}"
        for headers in ({}, {"Authorization": token}, cookie_header(await gate.open())):
            answer = await gate.ask(path=path, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (400, "TokenInAddress")
            assert token.removeprefix("Bearer ") not in answer.text
        assert gate.turned_away("TokenInAddress") == 3


@pytest.mark.parametrize("value", ["", "x", "AAAA", "ก"])
async def test_a_cookie_of_somebody_else_is_401_in_both_languages(
    tmp_path: Path, value: str
) -> None:
    async with open_gate(tmp_path) as gate:
        headers = {b"Cookie": f"{LOOPBACK_COOKIE}={value}".encode()}
        answer = await gate.client.get("/who", headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (401, "SessionUnknown")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert {"detail", "detail_en"} <= set(answer.json())


async def test_who_sends_nothing_is_401_and_counted(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        assert (await gate.ask()).status_code == 401
        await gate.ask(headers={"Authorization": "Bearer x"})
        assert (gate.turned_away("NoToken"), gate.turned_away("Unreadable")) == (1, 1)


async def test_an_identity_has_one_rate_by_token_and_by_session(tmp_path: Path) -> None:
    async with open_gate(tmp_path, rate=Rate("reads", quota=3)) as gate:
        cookie = cookie_header(await gate.open())
        token = {"Authorization": gate.token()}
        answer = await gate.ask(headers=cookie)
        assert answer.headers["ratelimit-policy"] == '"reads";q=3;w=60'
        assert answer.headers["ratelimit"] == '"reads";r=1;t=40'
        assert (await gate.ask(headers=token)).status_code == 200
        for headers in (cookie, token):
            refused = await gate.ask(headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "20")
            assert refused.headers["ratelimit"] == '"reads";r=0;t=60'
            assert refused.json()["violated-policies"] == ["reads"]
        assert gate.turned_away("rate-exceeded") == 2
        other = {"Authorization": gate.token("analyst")}
        assert (await gate.ask(headers=other)).status_code == 200
        gate.seconds += 20
        assert (await gate.ask(headers=token)).status_code == 200


async def test_nobody_uses_up_an_identitys_rate_but_itself(tmp_path: Path) -> None:
    async with open_gate(tmp_path, rate=Rate("reads", quota=1)) as gate:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": f"{LOOPBACK_COOKIE}=x"}):
            assert (await gate.ask(headers=headers)).status_code == 401
        assert (await gate.ask(headers={"Authorization": gate.token()})).status_code == 200


async def test_the_openapi_has_both_ways_in_and_the_rate_everywhere(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        document = document_of(gate.app)
        schemes = document["components"]["securitySchemes"]
        assert schemes["bearer"]["scheme"] == "bearer"
        assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", COOKIE)
        operations = [one for path in document["paths"].values() for one in path.values()]
        for operation in operations:
            assert "Retry-After" in operation["responses"]["429"]["headers"]
            assert all("RateLimit" in one["headers"] for one in operation["responses"].values())
        assert document["paths"]["/who"]["get"]["security"] == [{"bearer": []}, {"session": []}]
        session = document["paths"]["/v1/session"]
        assert session["post"]["security"] == [{"bearer": []}]
        assert session["delete"]["security"] == [{"session": []}]


async def test_the_session_has_an_example_of_what_it_answers(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.ask("POST", path="/v1/session", headers={"Authorization": gate.token()})
        described = document_of(gate.app)["paths"]["/v1/session"]["post"]["responses"]["201"]
        example = described["content"]["application/json"]["example"]
        assert set(example) == set(answer.json())
