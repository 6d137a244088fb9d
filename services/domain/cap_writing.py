"""The network's alert as a CAP 1.2 message, in Thai and, as far as it is stated, in English."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from schemas.events.alert import AlertIssued
from schemas.ids import Realm
from services.domain.cap import GEOCODE, NAMESPACE, STATUS, Reference, time_text

# XML 1.0, 2.2: characters that no document holds; text of the network may.
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CATEGORIES = {"cbrne": "CBRNE"}


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A province's names on its day."""

    th: str
    en: str | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What of a message does not stand in its alert."""

    own: Reference
    """Its extended identifier."""
    realm: Realm
    sender_name: str | None
    """What its centre was called on the day."""
    chain: Sequence[Reference]
    """Every earlier message that it replaces, also those that the replaced ones replaced."""
    places: Mapping[str, PlaceName]
    corrects: Sequence[Reference] = ()
    """What went out of the same alert before it was corrected."""


def write(alert: AlertIssued, around: Circumstances) -> bytes:
    """The alert as a CAP message."""
    root = Element(f"{{{NAMESPACE}}}alert")
    _add(root, "identifier", around.own.identifier)
    _add(root, "sender", around.own.sender)
    _add(root, "sent", time_text(around.own.sent))
    _add(root, "status", STATUS[around.realm])
    # What corrects a cancel is no update: that would make the alert stand again.
    is_update = around.corrects and alert.message == "alert"
    _add(root, "msgType", "Update" if is_update else alert.message.capitalize())
    _add(root, "scope", "Public")
    _add(root, "references", " ".join(map(str, (*around.chain, *around.corrects))))
    _add(root, "incidents", alert.incident)
    _add_info(root, alert, around, "th")
    if alert.event_en or alert.headline_en:
        _add_info(root, alert, around, "en")
    content: bytes = tostring(root, "utf-8", default_namespace=NAMESPACE, xml_declaration=True)
    return content


def _add_info(root: Element, alert: AlertIssued, around: Circumstances, language: str) -> None:
    thai = language == "th"
    info = SubElement(root, f"{{{NAMESPACE}}}info")
    _add(info, "language", "th-TH" if thai else "en-US")
    for category in alert.categories or ["other"]:
        _add(info, "category", _CATEGORIES.get(category, category.capitalize()))
    _add(info, "event", alert.event_th if thai else alert.event_en or alert.headline_en)
    for name in ("urgency", "severity", "certainty"):
        _add(info, name, getattr(alert, name).capitalize())
    _add(info, "effective", None if alert.effective is None else time_text(alert.effective))
    _add(info, "expires", time_text(alert.expires))
    _add(info, "senderName", around.sender_name)
    _add(info, "headline", alert.headline_th if thai else alert.headline_en)
    _add(info, "description", alert.description if thai else alert.description_en)
    _add(info, "instruction", alert.instruction if thai else alert.instruction_en)
    for province in alert.provinces:
        place = around.places.get(province, PlaceName(province, None))
        _add_area(info, province, place.th if thai else place.en or place.th)


def _add_area(info: Element, province: str, name: str) -> None:
    area = SubElement(info, f"{{{NAMESPACE}}}area")
    _add(area, "areaDesc", name)
    geocode = SubElement(area, f"{{{NAMESPACE}}}geocode")
    _add(geocode, "valueName", GEOCODE)
    _add(geocode, "value", province)


def _add(parent: Element, name: str, text: str | None) -> None:
    """The child with its text; none when there is nothing to say."""
    if text:
        SubElement(parent, f"{{{NAMESPACE}}}{name}").text = _NO_CHARACTER.sub("\ufffd", text)
