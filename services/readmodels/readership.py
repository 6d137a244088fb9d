"""Which directives a reader sees, as a condition of a query; no other place writes it."""

from services.domain.readership import Readership
from services.readmodels.moment import Moment


def sees(directive: str, moment: Moment) -> str:
    """SQL: the reader sees this row, of a directive's id, deputy, issued_at, classification, named,
    provinces and agenda."""
    # OFFSET 0: asked by index for this directive. Without it the planner may read the authority of
    # all directives there are, to look each of a few up in that.
    return f"""(
        :everything OR {directive}.deputy = ANY(:own) OR ({directive}.issued_at IS NOT NULL AND (
            EXISTS (SELECT FROM directives.authority a
                    WHERE a.directive = {directive}.id AND {moment.counts("a")}
                      AND (a.addressee = ANY(:addressees)
                           OR concat_ws(':', a.dimension, a.target, a.power) = ANY(:powers))
                    OFFSET 0)
            OR ({directive}.classification <> 'confidential' AND (
                :issued OR {directive}.named && CAST(:places AS text[])
                OR {directive}.provinces && CAST(:places AS text[])
                OR {directive}.agenda = ANY(:agendas)))))
    )"""


def sees_step(step: str) -> str:
    """SQL: of a directive that the reader sees, this row's step by or towards an addressee too."""
    return f"(:all_sides OR {step}.addressee IS NULL OR {step}.addressee = ANY(:addressees))"


def parameters(reads: Readership) -> dict[str, object]:
    """What the names of both conditions stand for, and of the second lock."""
    return {
        "everything": reads.everything,
        "issued": reads.issued,
        "own": sorted(reads.own),
        "powers": sorted(reads.powers),
        "places": sorted(reads.places),
        "agendas": sorted(reads.agendas),
        "addressees": sorted(reads.addressees),
        "entitled": ",".join(sorted(reads.entitled)),
        "all_sides": reads.sees_sides,
    }
