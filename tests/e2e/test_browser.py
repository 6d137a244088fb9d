"""A page of the gateway's own origin, in Chromium: the loop of directives by `EventSource`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from services.api.app import create_app
from services.operation.metrics import Metrics
from services.operation.serving import listen, serve
from tests.e2e.chromium import Page, chromium
from tests.e2e.system import Json, System, running
from tests.e2e.test_outward import POC, feed, issued

# A browser meets the gateway; which home the log has, it cannot know.
pytestmark = pytest.mark.parametrize("log_url", ["postgres"], indirect=True)

SIGN_IN = """
const [token] = args;
const headers = {Authorization: `Bearer ${token}`};
const answer = await fetch('/v1/session', {method: 'POST', headers});
return [answer.status, document.cookie];
"""
LISTEN = """
const [cursor] = args;
[window.heard, window.lost] = [[], 0];
window.source = new EventSource(`/v1/directives/stream?cursor=${encodeURIComponent(cursor)}`);
for (const kind of ['notice', 'reset'])
  source.addEventListener(kind, ({data}) => heard.push([kind, JSON.parse(data)]));
source.addEventListener('error', () => lost += 1);
"""
HEARD = """
const [directive, change] = args;
const isIt = ([, {data}]) => data?.directive === directive && data.change === change;
return new Promise((done) => {
  const look = () => heard.some(isIt) && done(heard);
  source.addEventListener('notice', look);
  look();
});
"""
LOST = """
const [times] = args;
return new Promise((done) => {
  const isOver = () => source.readyState === EventSource.CLOSED;
  const look = () => (lost >= times || isOver()) && done(!isOver());
  source.addEventListener('error', look);
  look();
});
"""
ACKNOWLEDGE = """
const [directive] = args;
const answer = await fetch(`/v1/directives/${directive}/acknowledge`, {
  method: 'POST',
  headers: {'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID()},
  body: '{}',
});
return answer.status;
"""


@asynccontextmanager
async def gateway(system: System, port: int) -> AsyncIterator[str]:
    """One more gateway of the network, on a port of its own: any number may run."""
    async with AsyncExitStack() as resources:
        opened = await replace(system.parts, resources=resources, metrics=Metrics.new()).gateway()
        place = resources.enter_context(listen("127.0.0.1", port))
        answers = partial(serve, create_app(opened), place, on_stop=opened.stop)
        async with running({**opened.works, "answers": answers}):
            yield f"http://127.0.0.1:{port}"


async def answered(page: Page, directive: str) -> list[Json]:
    """Everything the page heard, once it heard of the directive and of its own answer to it."""
    await page.run(HEARD, directive, "issued")
    assert await page.run(ACKNOWLEDGE, directive) == 200
    heard: list[Json] = await page.run(HEARD, directive, "acknowledged")
    return heard


async def test_an_event_source_hears_answers_and_resumes_by_itself_without_loss_or_double(
    system: System,
) -> None:
    _, begin = await feed(system, POC)
    with listen("127.0.0.1", 0) as place:
        port: int = place.getsockname()[1]
    async with chromium() as page:
        async with gateway(system, port) as address:
            await page.open(f"{address}/docs")
            # No script of the page reads the session's cookie.
            assert await page.run(SIGN_IN, system.token(POC)) == [201, ""]
            await page.run(LISTEN, begin)
            first = await issued(system)
            await answered(page, first)
        # The stream has ended, then nobody was there.
        assert await page.run(LOST, 2)
        second = await issued(system)
        async with gateway(system, port):
            heard = await answered(page, second)
    told = (await system.ask("/v1/directives/feed", POC, cursor=begin))["items"]
    assert {kind for kind, _ in heard} == {"notice"}
    assert [notice["id"] for _, notice in heard] == [one["id"] for one in told[: len(heard)]]
