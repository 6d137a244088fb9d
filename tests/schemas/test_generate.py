"""The generated files come out the same, wherever they are made."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import generate
from schemas.published import FOLDER


def tree(folder: Path) -> dict[str, str]:
    """Every file under the folder."""
    files = (path for path in folder.rglob("*.json"))
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in files}


def test_the_command_writes_every_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", str(tmp_path)])
    runpy.run_path(generate.__file__, run_name="__main__")
    assert tree(tmp_path) == generate.documents()


def test_another_clock_locale_and_hash_seed_change_nothing(tmp_path: Path) -> None:
    elsewhere = {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "42",
        "PYTHONPATH": str(FOLDER.parent),
    }
    subprocess.run(
        [sys.executable, "-m", "schemas.generate", str(tmp_path)],
        env={**os.environ, **elsewhere},
        cwd=tmp_path,
        check=True,
    )
    assert tree(tmp_path) == generate.documents()
