"""Names of the things the network speaks about, and the shapes their ids have."""

import re
from typing import Literal, NewType

CentreId = NewType("CentreId", str)
"""`pmoc`, `moc:moi`, `doc:moi.ddpm`, `poc:TH-83`."""

ProvinceCode = NewType("ProvinceCode", str)
"""ISO 3166-2 (`TH-83`), as it was at the moment spoken of."""

Realm = Literal["actual", "exercise", "test"]
"""What an event is for. Unique keys contain it, so an exercise never meets the facts."""

NATION = "TH"
"""The place of a figure that a source states for the whole country: a series of its own."""

BANGKOK = ProvinceCode("TH-10")
"""Outside the scheme: no area holder, no provincial operations centre of this kind."""

_CENTRE_ID = re.compile(
    r"pmoc|(moc|doc):[a-z0-9][a-z0-9.-]{0,62}|poc:TH-[0-9]{2}|[a-z]+:[A-Za-z0-9.-]{1,62}"
)
_CENTRE_SOURCE = re.compile(r"/centres/([a-z]+)(?:/([A-Za-z0-9.-]+))?")


def centre_of_source(source: str) -> CentreId | None:
    """The centre whose URI this is (`/centres/poc/TH-83` is `poc:TH-83`), or None."""
    found = _CENTRE_SOURCE.fullmatch(source)
    if found is None:
        return None
    level, name = found.groups()
    centre = level if name is None else f"{level}:{name}"
    return CentreId(centre) if _CENTRE_ID.fullmatch(centre) else None


def topic_of_centre(prefix: str, centre: CentreId) -> str:
    """The centre's own topic: `inbox.poc.TH-83`. A topic's name holds no colon."""
    return prefix + centre.replace(":", ".", 1)


def source_of_centre(centre: CentreId) -> str:
    """The centre's URI, the `source` of its events."""
    return "/centres/" + centre.replace(":", "/", 1)
