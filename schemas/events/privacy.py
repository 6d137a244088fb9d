"""Whether something holds a Thai citizen number, which must never enter the log."""

import re
from decimal import Decimal

from pydantic import BaseModel

_GAP = r"[\W_]{0,3}"
# The look-ahead finds numbers that overlap: a digit before a citizen number must not hide it.
_CANDIDATE = re.compile(
    rf"(?=(\d){_GAP}(\d{{4}}){_GAP}(\d{{5}}){_GAP}(\d{{2}}){_GAP}(\d))",
)


def is_citizen_number(digits: str) -> bool:
    """13 digits, of which the last checks the others.

    Source: the identification number of the Central Registration Bureau, Department of Provincial
    Administration (เลขประจำตัวประชาชน 13 หลัก), as python-stdnum's `stdnum.th.pin` states its check:
    weights 13 down to 2, (11 - sum mod 11) mod 10.
    """
    if len(digits) != 13 or not digits.isdecimal():
        return False
    weighted = sum(
        weight * int(digit) for weight, digit in zip(range(13, 1, -1), digits, strict=False)
    )
    return (11 - weighted % 11) % 10 == int(digits[12])


def holds_citizen_number(value: object) -> bool:
    """True when a string or a number anywhere in the value is or contains a citizen number.

    Found in any script's digits, inside longer runs of digits, and in the printed grouping
    `1-2345-67890-12-1` with any marks between the groups. One in eleven longer numbers is taken
    for one by chance: the types that ask this hold counts and categories, never such numbers.
    """
    match value:
        case str():
            return len(value) >= 13 and any(
                is_citizen_number("".join(found)) for found in _CANDIDATE.findall(value)
            )
        case int():
            return abs(value) >= 10**12 and holds_citizen_number(str(value))
        case list() | tuple() | set() | frozenset():
            return any(holds_citizen_number(item) for item in value)
        case dict():
            return any(holds_citizen_number(part) for item in value.items() for part in item)
        case float() | Decimal():
            return holds_citizen_number(f"{value:f}")
        case BaseModel():
            return any(holds_citizen_number(field) for field in vars(value).values())
        case _:
            return False
