"""The first start of a home: the network is opened, and the demonstration country taken in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.agent import demo
from services.agent.importing import Archive
from services.agent.network import Network, open_network
from services.cli.take_over import take_over
from services.embedded.home import Home
from services.operation.health import NotReady

NAME = "ประเทศสาธิต · demonstration"


@dataclass
class FirstStart:
    """What a home needs once. `wants_country` says whether the country is one of it."""

    network: Network
    home: Home
    wants_country: bool
    tell: Callable[[], None]
    """Called when everything is there."""
    done: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Do what was not done yet; a start that broke off is finished by the next one."""
        await open_network(self.network.store, now=datetime.now(UTC))
        if self.wants_country and not self.home.demonstrated.exists():
            await take_over(self.network, Archive.of_files(NAME, demo.loaded_at_start()))
            self.home.demonstrated.touch()
        self.done = True
        self.tell()

    async def check(self) -> None:
        """The home has all that it needs.

        Raises:
            NotReady: not yet.
        """
        if not self.done:
            raise NotReady("the demonstration country is being loaded")
