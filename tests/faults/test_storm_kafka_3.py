"""kill -9 of everything, at seeded random moments, under load, with three brokers.

A file of its own: workers of the suite share files, and a storm is long.
"""

import pytest

from tests.faults.storm import weather


async def test_after_a_storm_of_kills_everything_acknowledged_counts_once(
    seed: int, rounds: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await weather("kafka-3", seed, rounds, tmp_path_factory.mktemp("storm"))
