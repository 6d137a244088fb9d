"""What a person may want to do, and which kinds of power let a deputy do it.

Source: domain.md 2 (the kinds of power that function orders give) and 3 (what a deputy may do in
the area held, after the regulation of the Prime Minister's Office, B.E. 2547).
"""

from collections.abc import Mapping
from enum import StrEnum

from schemas.events.order import Duty

OVERSEE, COMMAND, SUPERVISE, AREA = "oversee", "command", "supervise", "area"
KINDS = (OVERSEE, COMMAND, SUPERVISE, AREA)
"""`oversee+command` is two of them held together."""


class Act(StrEnum):
    """One thing that is done by a power."""

    ORDER_TO_ACT = "order_to_act"
    SUSPEND = "suspend"
    """Stop an act (ยับยั้ง)."""
    PERMIT = "permit"
    """Permit or approve as the superior."""
    CALL_FOR_REPORT = "call_for_report"
    """Or for an explanation or an opinion."""
    INQUIRE = "inquire"
    REFER_TO_CABINET = "refer_to_cabinet"
    INSPECT = "inspect"
    COORDINATE = "coordinate"
    URGE = "urge"
    FOLLOW_UP = "follow_up"
    EVALUATE = "evaluate"
    ADVISE = "advise"
    AGREE_STRATEGY = "agree_strategy"
    RECOMMEND_PERSONNEL = "recommend_personnel"
    APPROVE_MONEY = "approve_money"
    """Spending from the emergency reserve."""


_REGION = frozenset({AREA})
_ANY = frozenset(KINDS)

POWERS_FOR: Mapping[Act, frozenset[str]] = {
    Act.ORDER_TO_ACT: frozenset({COMMAND, AREA}),
    Act.SUSPEND: frozenset({COMMAND, SUPERVISE, AREA}),
    Act.PERMIT: frozenset({COMMAND}),
    Act.CALL_FOR_REPORT: frozenset({OVERSEE, SUPERVISE, AREA}),
    Act.INQUIRE: frozenset({OVERSEE, SUPERVISE, AREA}),
    Act.REFER_TO_CABINET: frozenset({OVERSEE}),
    Act.INSPECT: _REGION,
    Act.COORDINATE: _REGION,
    Act.URGE: _REGION,
    Act.FOLLOW_UP: _ANY,
    Act.EVALUATE: _REGION,
    Act.ADVISE: _ANY,
    Act.AGREE_STRATEGY: _REGION,
    Act.RECOMMEND_PERSONNEL: _REGION,
    Act.APPROVE_MONEY: _REGION,
}
"""An act may be done under any one of these. That a commander may order to stop, and that every
power lets its holder advise and follow up, is ours; what the sources name alone is left alone."""

DUTY_FOR: Mapping[Act, Duty] = {
    Act.INSPECT: "inspect",
    Act.CALL_FOR_REPORT: "call_for_reports",
    Act.COORDINATE: "coordinate",
    Act.URGE: "urge",
    Act.FOLLOW_UP: "follow_up",
    Act.ADVISE: "advise",
}
"""What can be entrusted to an inspector, as which duty. No other act ever is (domain.md 2)."""

PRIME_MINISTERS_CONSENT = frozenset({Act.RECOMMEND_PERSONNEL, Act.APPROVE_MONEY})
"""Personnel and money: who acts as Prime Minister needs the PM's prior consent (domain.md 2)."""
