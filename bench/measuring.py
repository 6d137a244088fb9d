"""How a row is measured: interleaved runs, their median and range, and what is printed of it."""

import asyncio
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RUNS = 5

type Run = Callable[[], Awaitable[float]]
"""One measured run; returns its figure in the row's unit."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is ours to the floor, or the bound to ours for a latency."""

    name: str
    home: str
    ours: float
    floor: float | None
    ratio: float | None
    reach: str
    unit: str
    conditions: str

    def shown(self) -> dict[str, object]:
        """As `latest.json` has it."""
        return asdict(self)

    def line(self) -> str:
        """As the terminal shows it."""
        floor = "-" if self.floor is None else figure(self.floor)
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        return (
            f"{self.name} [{self.home}]\n"
            f"    ours {figure(self.ours)} {self.unit} · floor {floor} · ratio {ratio}"
            f" · reach {self.reach}\n    {self.conditions}"
        )


@dataclass(frozen=True)
class Pair:
    """Ours and the floor over the runs."""

    ours: Sequence[float]
    floor: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median of what each run makes of its own neighbour, so that drift cancels."""
        return statistics.median(a / b for a, b in zip(self.ours, self.floor, strict=True))

    def row(self, name: str, home: str, *, reach: str, unit: str, conditions: str) -> Row:
        """The row of a rate."""
        spread = f"ours {spread_of(self.ours)}, floor {spread_of(self.floor)}"
        return Row(
            name,
            home,
            statistics.median(self.ours),
            statistics.median(self.floor),
            self.ratio,
            reach,
            unit,
            f"{conditions}; {len(self.ours)} interleaved runs, {spread}; load {load()}",
        )


async def interleaved(ours: Run, floor: Run, *, runs: int = RUNS) -> Pair:
    """Ours, the floor, ours, the floor …"""
    figures: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for run, found in zip((ours, floor), figures, strict=True):
            gc.collect()
            found.append(await run())
    return Pair(*figures)


def spread_of(figures: Sequence[float]) -> str:
    """The range of the runs."""
    return f"{figure(min(figures))}–{figure(max(figures))}"


def figure(value: float) -> str:
    """A figure with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(figures: Sequence[float], percent: float) -> float:
    """The figure that so many percent do not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def load() -> str:
    """What else the machine does: the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def resident_mb(pid: int) -> float:
    """The resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    """Wait until it holds.

    Raises:
        TimeoutError: it does not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        await asyncio.sleep(0.05)
