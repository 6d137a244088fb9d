"""A centre's id and its URI name the same centre."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import CentreId, centre_of_source, source_of_centre

CENTRES = st.from_regex(
    r"pmoc|(moc|doc):[a-z0-9][a-z0-9.-]{0,62}|poc:TH-[0-9]{2}", fullmatch=True
).map(CentreId)


@settings(deadline=None)
@given(CENTRES)
def test_a_centres_source_leads_back_to_it(centre: CentreId) -> None:
    assert centre_of_source(source_of_centre(centre)) == centre


@pytest.mark.parametrize(
    "source",
    ["", "/centres/", "/centres/poc/", "centres/poc/TH-83", "/centres/poc/TH-83/", "/decisions"],
)
def test_another_uri_names_no_centre(source: str) -> None:
    assert centre_of_source(source) is None
