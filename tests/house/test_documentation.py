"""The documentation is true to the tree, and nothing names a place of one machine."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from services.operation.settings import page as settings_page

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives"]
README_LINES = 250

# Put together here, so that this file does not hold what it looks for.
PLACES = re.compile(
    "|".join(
        rf"(?<![\w.}}-])/{top}/[\w.-]+"
        for top in (
            "ho" + "me",
            "ro" + "ot",
            "Us" + "ers",
            "wo" + "rk",
            "workspa" + "ce",
            "m" + "nt",
        )
    )
)
REGISTRIES = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "py" + "pi.org",
            "files.python" + "hosted.org",
            "registry." + "npmjs.org",
            "repo." + "maven.apache.org",
            "repo1." + "maven.org",
            "proxy." + "golang.org",
            "index." + "crates.io",
            "arti" + "factory",
            "ne" + "xus.",
        )
    ),
    re.IGNORECASE,
)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def pages() -> list[Path]:
    """Every page of documentation."""
    return [path for path in tracked() if path.suffix == ".md"]


def matches(pattern: re.Pattern[str], path: Path) -> list[str]:
    """What a text file holds of the pattern."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return []
    return [found.group() for found in pattern.finditer(text)]


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_readme_names_the_command_and_make_knows_it(command: str) -> None:
    target = command.removeprefix("make ")
    assert command in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_readme_stays_readable() -> None:
    assert len(README.splitlines()) <= README_LINES


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    relative = [link.partition("#")[0] for link in targets if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_every_folder_of_the_map_is_there() -> None:
    (section,) = re.findall(r"^## The map$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    folders = re.findall(r"`([\w./-]+/)`", section)
    assert len(folders) > len(SECTIONS)
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_every_room_of_the_services_is_on_the_map() -> None:
    rooms = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert {room for room in rooms if f"`services/{room}/`" not in README} == set()


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_states_context_decision_consequences_and_alternatives(page: Path) -> None:
    assert re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE) == SECTIONS


def test_decisions_are_numbered_without_a_gap_and_all_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    numbers = [int(page.name.partition("-")[0]) for page in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    assert [page.name for page in DECISIONS if f"({page.name})" not in index] == []


def test_the_page_of_settings_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == settings_page(), "kamkap settings"


@pytest.mark.parametrize("pattern", [PLACES, REGISTRIES], ids=["machine", "registry"])
def test_no_tracked_file_names_a_place_of_one_machine_or_a_registry(
    pattern: re.Pattern[str],
) -> None:
    found = {
        str(path.relative_to(ROOT)): named
        for path in tracked()
        if (named := matches(pattern, path))
    }
    assert found == {}


def test_the_patterns_find_what_they_look_for() -> None:
    assert PLACES.search("see /" + "home/somebody/notes")
    assert REGISTRIES.search("https://py" + "pi.org/simple")
