"""A release writes what the log may hold, and refuses what it could no longer read."""

import runpy
import sys
from pathlib import Path

import pytest

from schemas import release
from schemas.published import FOLDER

CLOSED = {"type": "object", "properties": {"reason": {"type": "string"}}}
OPEN = {"type": "object", "properties": {}}


def test_a_new_type_is_released_as_it_is() -> None:
    assert list(release.release({}, {"t.v1": CLOSED})) == ["released/t.v1.schema.json"]


def test_an_incompatible_change_is_not_released() -> None:
    with pytest.raises(release.ReleaseRefused, match=r"t\.v1\.reason: the field is removed"):
        release.release({"t.v1": CLOSED}, {"t.v1": OPEN})


def test_the_command_writes_the_released_schemas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["release", str(tmp_path)])
    runpy.run_path(release.__file__, run_name="__main__")
    written = {file.name: file.read_text() for file in (tmp_path / "released").iterdir()}
    committed = {file.name: file.read_text() for file in (FOLDER / "released").iterdir()}
    assert written == committed
