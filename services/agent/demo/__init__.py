"""The demonstration country: its files, their sources in `README.md` beside them."""

from importlib.resources import files
from pathlib import Path

_FOLDER = Path(str(files(__name__)))


def registry() -> Path:
    """The folder of the registry's tables."""
    return _FOLDER / "registry"


def tsunami_2004() -> tuple[Path, ...]:
    """The files of the tsunami of December 2004, in the order to load them."""
    return _named("tsunami_2004", "timeline", "counts", "affected_areas", "directives")


def highway_floods() -> tuple[Path, ...]:
    """The files of the road departments' flood reports, in the order to load them."""
    return _named("highway_floods", "lines", "reports")


def exercise() -> Path:
    """A whole exercise for `kamkap exercise`: a tsunami on the Andaman coast, made up."""
    return _FOLDER / "exercise" / "andaman.ndjson"


def loaded_at_start() -> tuple[Path, ...]:
    """What a new home of the demonstration takes in: the registry first, then the tsunami."""
    return (registry(), *tsunami_2004())


def _named(folder: str, *names: str) -> tuple[Path, ...]:
    return tuple(_FOLDER / folder / f"{name}.csv" for name in names)
