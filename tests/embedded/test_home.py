"""The home is its owner's, and one process's at a time."""

import stat
from pathlib import Path

import pytest

from services.embedded.home import Home, HomeInUse
from services.operation.settings import Settings


def test_nobody_else_lists_the_home(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    mode = stat.S_IMODE(home.directory.stat().st_mode)
    assert mode & (stat.S_IRWXO & ~stat.S_IXOTH) == 0
    home.secret()
    assert stat.S_IMODE(home.secret_file.stat().st_mode) == 0o600


def test_the_secret_stays(tmp_path: Path) -> None:
    assert Home.open(tmp_path).secret() == Home.open(tmp_path).secret()


def test_a_home_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    with (
        home.alone(),
        pytest.raises(HomeInUse, match="in use by process"),
        Home.open(tmp_path).alone(),
    ):
        pass
    with home.alone():
        pass


def test_settings_that_are_stated_come_before_the_homes(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    url = "postgresql://elsewhere/kamkap"
    assert home.settings(Settings(home=tmp_path, database_url=url)).database_url == url
    assert home.settings(Settings(home=tmp_path)).sealing_key == home.secret().encode()


def test_a_home_without_a_server_names_no_database(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    assert home.running_database_url() is None
    home.postgres.mkdir()
    # What a server that was killed leaves behind.
    (home.postgres / "postmaster.pid").write_text("999999999\n/x\n1\n5432\n/s\n\n1 1\nready\n")
    assert home.running_database_url() is None
