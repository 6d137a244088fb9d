"""Two of three brokers away: the door says so, and never that it took something."""

import asyncio
import json
import random
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.faults.judgement import judge
from tests.faults.load import Centre, Load
from tests.faults.processes import until
from tests.faults.system import System, open_system

_STATUS_TRIES = 3


@dataclass
class Asking:
    """One centre that sends a request once and keeps the answer."""

    system: System
    centre: Centre
    load: Load

    async def send(self, events: list[dict[str, object]]) -> httpx.Response:
        """The door's answer; what it acknowledged is noted."""
        answer = await self.system.client.post(
            f"{self.system.door}/v1/events",
            content=json.dumps(events),
            headers={
                "Authorization": f"Bearer {self.system.token(self.centre.name)}",
                "Content-Type": "application/cloudevents-batch+json",
            },
        )
        if answer.status_code == 202:
            self.load.acknowledged.events += events
        return answer


async def test_without_two_brokers_the_door_answers_503_and_takes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("quorum")
    async with open_system("kafka-3", directory) as system:
        load = Load(system, seed=1)
        await load.open_shared_incident()
        asking = Asking(system, Centre("poc:TH-83", "TH-83", random.Random(1)), load)
        assert (await asking.send(asking.centre.request())).status_code == 202
        cluster = system.cluster
        assert cluster is not None
        await system.on_servers(lambda: cluster.kill(1, 2))
        refused = [asking.centre.request() for _ in range(_STATUS_TRIES)]
        for answer in await asyncio.gather(*map(asking.send, refused)):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
        await system.on_servers(lambda: cluster.start_node(1, 2))
        for events in refused:
            await until(partial(_is_taken, asking, events), what="it is taken again")
        await judge(load)


async def _is_taken(asking: Asking, events: list[dict[str, object]]) -> bool:
    return (await asking.send(events)).status_code == 202
