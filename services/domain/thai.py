"""The order of Thai words, as a dictionary has them.

Source: Royal Institute Dictionary, order of entries: by consonant, then vowel; a vowel written
before its consonant is read after it; tone marks and the signs above a letter decide last.
"""

import re

_WRITTEN_BEFORE = re.compile("([เแโใไ])([ก-ฮ])")
_DECIDES_LAST = frozenset("็่้๊๋์ํ๎")

type SortKey = tuple[str, str, str]


def sort_key(text: str) -> SortKey:
    """A key that sorts text by Thai collation; other scripts by letter, case aside."""
    letters: list[str] = []
    signs: list[str] = []
    for letter in _WRITTEN_BEFORE.sub(r"\2\1", text.casefold()):
        if letter in _DECIDES_LAST and signs:
            signs[-1] += letter
        else:
            letters.append(letter)
            signs.append("")
    # The null between the signs is lower than any of them: no sign comes before a sign.
    return "".join(letters), "\0".join(signs), text
