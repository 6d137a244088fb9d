"""What was measured last, row by row: `python -m bench.latest` prints it as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.measuring import Row, figure

LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Result:
    """A row, or why there is none, with what it was taken by."""

    group: str
    """The name that measures it again."""
    measured_at: str
    machine: str
    size: str
    seconds: float
    """How long the group had run when the row was there."""
    row: Row | None = None
    trouble: str = ""


def stored() -> list[Result]:
    """What was measured last; nothing where nobody measured."""
    if not LATEST.exists():
        return []
    return msgspec.json.decode(LATEST.read_bytes(), type=list[Result])


def begin(group: str) -> None:
    """What was found of a group before is forgotten, because it is measured again."""
    _write([result for result in stored() if result.group != group])


def add(result: Result) -> None:
    """The result is in the file: a run that is cut short leaves what it measured."""
    _write([*stored(), result])


def table(results: Sequence[Result]) -> str:
    """The rows as Markdown, with a line for each group that failed."""
    lines = [
        "| row | home | ours | floor | ratio | reach | conditions |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        if (row := result.row) is None:
            lines.append(f"| {result.group} | | **failed** | | | | {result.trouble} |")
            continue
        floor = "" if row.floor is None else figure(row.floor)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(
            f"| {row.name} | {row.home} | {figure(row.ours)} {row.unit} | {floor} | {ratio} "
            f"| {row.reach} | {row.conditions}; {result.size}, {result.measured_at} |"
        )
    return "\n".join(lines)


def _write(results: Sequence[Result]) -> None:
    LATEST.parent.mkdir(exist_ok=True)
    partial = LATEST.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    partial.replace(LATEST)


if __name__ == "__main__":
    found = stored()
    for machine in dict.fromkeys(result.machine for result in found):
        print(machine)
    print(table(found))
