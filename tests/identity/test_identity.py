"""Names of who speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import centre_of_source
from services.identity.identity import HOLDERS, OFFICES, Identity, UnknownIdentity

TEXTS = [
    *sorted(OFFICES),
    "pmoc",
    "moc:moi",
    "doc:moi.ddpm",
    "poc:TH-83",
    "governor:TH-83",
    "deputy:deputy-andaman",
    "secretariat:deputy-andaman",
    "inspector:i-7",
    "city:TH-10",
    "press:the-nation",
]


@pytest.mark.parametrize("text", TEXTS)
def test_an_identity_is_written_as_it_is_read(text: str) -> None:
    assert str(Identity.parse(text)) == text


@pytest.mark.parametrize("text", TEXTS)
def test_only_a_centre_has_a_centre_and_a_source(text: str) -> None:
    identity = Identity.parse(text)
    is_centre = identity.kind not in OFFICES | HOLDERS
    assert identity.centre == (text if is_centre else None)
    assert (centre_of_source(identity.source) if identity.source else None) == identity.centre


@pytest.mark.parametrize(
    "text",
    ["", "emperor", "deputy", "deputy:", "pm:x", "pmoc:x", "poc:83", "governor:TH-8", "a:b:c",
     "poc:TH-83\n", "deputy:a b", "DEPUTY:a", "moc:" + "a" * 100],
)  # fmt: skip
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(UnknownIdentity):
        Identity.parse(text)


@given(st.text())
def test_any_text_is_an_identity_or_refused(text: str) -> None:
    try:
        identity = Identity.parse(text)
    except UnknownIdentity:
        return
    assert str(identity) == text
