"""A null character is found wherever it is, and nowhere else."""

import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.null_character import holds_null_character

_TEXTS = st.text(alphabet="aก\x00\\u0")
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=8,
)


@given(_VALUES)
def test_a_value_holds_one_exactly_when_its_text_does(value: object) -> None:
    # An escaped backslash before u0000 is no null character: it is taken out before the look.
    text = json.dumps(value).replace("\\\\", "")
    assert holds_null_character(value) == ("\\u0000" in text)
