"""The database a tool works on: the one that is named, or the home's, running or not."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.cli.refusal import Refusal
from services.embedded import postgres
from services.embedded.home import Home
from services.operation.settings import Settings


@contextmanager
def database_of(stated: Settings) -> Iterator[Settings]:
    """Settings whose database answers meanwhile; the home's server is started where none runs.

    Raises:
        HomeInUse: something else is being done with the home.
        Refusal: there is no home to work on.
    """
    home = Home.open(stated.home)
    settings = home.settings(stated)
    if settings.database_url is not None:
        yield settings
        return
    if not home.postgres.exists():
        raise Refusal(f"{home.directory} holds no network, and KAMKAP_DATABASE_URL is not set")
    with home.alone():
        server = postgres.start(home.postgres)
        try:
            yield home.settings(stated)
        finally:
            server.stop()
