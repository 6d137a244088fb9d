"""A deadline that passes on the network's own clock, and is made up for."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from tests.e2e.country import event
from tests.e2e.system import Json, System

POC = "poc:TH-83"


async def decide(system: System, path: str, identity: str, body: Json) -> Json:
    """What a directive came to."""
    headers = {
        "Authorization": f"Bearer {system.token(identity)}",
        "Idempotency-Key": f"deadline{path}",
    }
    content = json.dumps(body, ensure_ascii=False)
    answer = await system.client.post(f"/v1/directives{path}", content=content, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


async def history(system: System, **query: Json) -> list[str]:
    """What happened to it, as the Prime Minister reads it; a reminder may come too late."""
    told = (await system.ask("/v1/directives/soon/history", **query))["items"]
    return [one["event"] for one in told if one["event"] != "reminded"]


async def test_what_is_not_noted_in_time_is_stated_once_and_ends_when_it_is_noted(
    system: System,
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=6)
    text = {"directive": "soon", "deputy": "pm", "kind": "advice", "title_th": "x",
            "text_th": "x", "addressees": ["TH-83"], "acknowledge_by": due.isoformat()}  # fmt: skip
    await decide(system, "", "pm", text)
    issued = await decide(system, "/soon/issue", "pm", {})
    told = await history(system, after=issued["position"])
    async with asyncio.timeout(60):
        while "overdue" not in told:
            # Others are heard, so that ticks go on.
            await system.tell(event("heartbeat.sent.v1", {}))
            await asyncio.sleep(0.2)
            told = await history(system)
    assert told == ["drafted", "issued", "overdue"]

    noted = await decide(system, "/soon/acknowledge", POC, {})
    assert noted["state"] == "closed"
    told = await history(system, after=noted["position"])
    assert told == ["drafted", "issued", "overdue", "acknowledged", "closed"]
    (to,) = (await system.ask("/v1/directives/soon", POC))["addressees"]
    assert (to["overdue"], to["due_at"], to["escalated_to"]) == (False, None, None)
