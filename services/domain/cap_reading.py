"""A CAP 1.2 message as the network's own alert: schema first, then the profile.

What is taken here is valid under the official schema (a test compares the two) and says everything
that `alert.issued.v1` needs; the rest stays in the message's own bytes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from schemas.events.alert import AlertIssued
from schemas.ids import Realm
from services.domain.cap import (
    GEOCODE,
    NAMESPACE,
    OWN_SENDER,
    REALMS,
    Fault,
    NotTaken,
    Reference,
    name_of,
    reference_of,
    time_of,
)
from services.domain.cap_xml import Element, parse

_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"

# CAP 1.2, 3.4 (the schema): which elements stand in which, in which order and how often.
_SHAPES = {
    "alert": r" identifier sender sent status msgType( source)? scope( restriction)?( addresses)?"
    r"( code)*( note)?( references)?( incidents)?( info)*( signature)*",
    "info": r"( language)?( category)+ event( responseType)* urgency severity certainty"
    r"( audience)?( eventCode)*( effective)?( onset)?( expires)?( senderName)?( headline)?"
    r"( description)?( instruction)?( web)?( contact)?( parameter)*( resource)*( area)*",
    "area": r" areaDesc( polygon)*( circle)*( geocode)*( altitude)?( ceiling)?",
    "resource": r" resourceDesc mimeType( size)?( uri)?( derefUri)?( digest)?",
    **dict.fromkeys(("eventCode", "parameter", "geocode"), " valueName value"),
}
_VALUES = {
    "status": "Actual|Exercise|System|Test|Draft",
    "msgType": "Alert|Update|Cancel|Ack|Error",
    "scope": "Public|Restricted|Private",
    "category": "Geo|Met|Safety|Security|Rescue|Fire|Health|Env|Transport|Infra|CBRNE|Other",
    "responseType": "Shelter|Evacuate|Prepare|Execute|Avoid|Monitor|Assess|AllClear|None",
    "urgency": "Immediate|Expected|Future|Past|Unknown",
    "severity": "Extreme|Severe|Moderate|Minor|Unknown",
    "certainty": "Observed|Likely|Possible|Unlikely|Unknown",
    "language": "[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*",
    "size": r"[+-]?[0-9]+",
    "web": r"[!-~]*",
    "uri": r"[!-~]*",
    **dict.fromkeys(("altitude", "ceiling"), r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"),
}
_TIMES = ("sent", "effective", "onset", "expires")
_MESSAGES = {"Alert": "alert", "Update": "update", "Cancel": "cancel"}
_LANGUAGE = "en-US"
"""What an info block is in that states no language (3.2.2)."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_PROVINCE = re.compile(r"TH-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that the network takes."""

    reference: Reference
    """Its own extended identifier."""
    realm: Realm
    incident: str | None
    data: dict[str, object]
    """Of `alert.issued.v1`, as JSON has it; the type's own bounds are not checked here."""


def read(content: bytes) -> Received:
    """What the message says.

    Raises:
        NotTaken: it is no CAP 1.2, or the profile does not take it; names the rule and the place.
    """
    alert = parse(content)
    if (alert.namespace, alert.name) != (NAMESPACE, "alert"):
        raise NotTaken(Fault.NAMESPACE)
    _check(alert, "alert")
    reference = Reference(
        name_of(_text(alert, "sender") or "", "alert/sender"),
        name_of(_text(alert, "identifier") or "", "alert/identifier"),
        time_of(_text(alert, "sent") or "", "alert/sent"),
    )
    if reference.sender.startswith(OWN_SENDER):
        raise NotTaken(Fault.SENDER, "alert/sender")
    realm = REALMS.get(_text(alert, "status") or "")
    if realm is None:
        raise NotTaken(Fault.STATUS, "alert/status")
    if _text(alert, "scope") != "Public":
        raise NotTaken(Fault.SCOPE, "alert/scope")
    incident = _incident(alert)
    data = {"incident": incident, **_message(alert, reference), **_said(alert, reference)}
    return Received(reference, realm, incident, {**data, "cap": _original(reference, content)})


def came_as(alert: AlertIssued, *, realm: str, sent: datetime) -> Reference | None:
    """The message that the alert came in as; None when it did not, or when that says otherwise.

    Any centre can put a text beside an alert of its own, so a text counts as what it says itself.
    """
    if alert.cap is None:
        return None
    try:
        received = read(alert.cap.xml.encode())
        said = AlertIssued.model_validate(received.data)
    except (NotTaken, ValidationError):
        return None
    same = (received.reference.sent, received.realm, said) == (sent, realm, alert)
    return received.reference if same else None


def _check(element: Element, place: str) -> None:
    """The element and all below it are as the schema says."""
    shape = _SHAPES.get(element.name)
    names = "".join(f" {_label(child)}" for child in element.children)
    if element.attributes or not re.fullmatch(shape or "", names):
        raise NotTaken(Fault.STRUCTURE, place)
    if shape is None:
        _check_value(element, place)
        return
    if element.text.strip():
        raise NotTaken(Fault.STRUCTURE, place)
    for child in element.children:
        if child.namespace == NAMESPACE:
            _check(child, f"{place}/{child.name}")


def _label(child: Element) -> str:
    if child.namespace == NAMESPACE:
        return child.name
    return "signature" if child.namespace == _SIGNATURE else "?"


def _check_value(element: Element, place: str) -> None:
    if element.name in _TIMES:
        time_of(element.text, place)
    elif not re.fullmatch(_VALUES.get(element.name, r"[\s\S]*"), element.text):
        raise NotTaken(Fault.VALUE, place)


def _message(alert: Element, own: Reference) -> dict[str, object]:
    """What kind of message it is, and which earlier ones it replaces."""
    message = _MESSAGES.get(_text(alert, "msgType") or "")
    if message is None:
        raise NotTaken(Fault.MESSAGE, "alert/msgType")
    earlier = [reference_of(one) for one in (_text(alert, "references") or "").split()]
    if bool(earlier) == (message == "alert"):
        raise NotTaken(Fault.REFERENCES, "alert/references")
    # Who sent a message is who updates or cancels it; the profile's own rule.
    if any(one.sender != own.sender for one in earlier):
        raise NotTaken(Fault.REFERENCES_OTHERS, "alert/references")
    return {
        "alert": own.alert,
        "message": message,
        "references": [one.alert for one in earlier],
    }


def _said(alert: Element, own: Reference) -> dict[str, object]:
    """What is said in Thai and English, and what all languages say alike."""
    infos = list(alert.named("info"))
    thai, english = _in_language(infos, "th"), _in_language(infos, "en")
    if thai is None:
        raise NotTaken(Fault.LANGUAGE, "alert/info/language")
    common = _common(thai)
    if any(_common(info) != common for info in infos):
        raise NotTaken(Fault.DIFFERENT, "alert/info")
    if common["expires"] is None or (
        _text(alert, "msgType") != "Cancel"
        and time_of(str(common["expires"]), "alert/info/expires") <= own.sent
    ):
        raise NotTaken(Fault.EXPIRES, "alert/info/expires")
    event = _text(thai, "event")
    return {
        **common,
        "event_th": event,
        "headline_th": _text(thai, "headline") or event,
        "description": _text(thai, "description"),
        "instruction": _text(thai, "instruction"),
        **({} if english is None else _english(english)),
    }


def _english(info: Element) -> dict[str, object]:
    names = {"event": "event_en", "headline": "headline_en"}
    names |= {name: f"{name}_en" for name in ("description", "instruction")}
    return {ours: _text(info, theirs) for theirs, ours in names.items()}


def _in_language(infos: Iterable[Element], language: str) -> Element | None:
    """The block in this language.

    Raises:
        NotTaken: there are two.
    """
    match [info for info in infos if _language(info) == language]:
        case []:
            return None
        case [info]:
            return info
        case _:
            raise NotTaken(Fault.LANGUAGE, "alert/info/language")


def _language(info: Element) -> str:
    return (_text(info, "language") or _LANGUAGE).partition("-")[0].lower()


def _common(info: Element) -> dict[str, object]:
    """What does not depend on the language."""
    return {
        "categories": sorted({one.text.lower() for one in info.named("category")}),
        **{name: (_text(info, name) or "").lower() for name in ("urgency", "severity")},
        "certainty": (_text(info, "certainty") or "").lower(),
        "effective": _text(info, "effective"),
        "expires": _text(info, "expires"),
        "provinces": _provinces(list(info.named("area"))),
    }


def _provinces(areas: Sequence[Element]) -> list[str]:
    """The provinces of all areas: each names at least one, by its ISO code."""
    named = [
        [_text(code, "value") or "" for code in area.named("geocode") if _is_iso(code)]
        for area in areas
    ]
    provinces = sorted({province for codes in named for province in codes})
    if not named or not all(named) or not all(map(_PROVINCE.fullmatch, provinces)):
        raise NotTaken(Fault.AREA, "alert/info/area")
    return provinces


def _is_iso(geocode: Element) -> bool:
    return _text(geocode, "valueName") == GEOCODE


def _incident(alert: Element) -> str | None:
    """The one incident it is about, when its name can be one of the network's."""
    match (_text(alert, "incidents") or "").split():
        case [incident] if _KEY.fullmatch(incident):
            return incident
        case _:
            return None


def _original(reference: Reference, content: bytes) -> dict[str, object]:
    return {
        "sender": reference.sender,
        "identifier": reference.identifier,
        "sent": reference.sent.isoformat(),
        "xml": content.decode(),
    }


def _text(element: Element, name: str) -> str | None:
    """The text of the first child of this name, without blanks around it; None when empty."""
    found = next(element.named(name), None)
    return None if found is None else found.text.strip() or None
