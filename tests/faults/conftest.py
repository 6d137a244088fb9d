"""How much of the fault matrix runs: a seeded part of it, or all of it (`make faults`)."""

import pytest

SEEDS = {"seeded": [20_260_101], "full": [20_260_101, 7, 83, 2_547]}
ROUNDS = {"seeded": 3, "full": 6}
"""How often each victim is killed, at least."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults=full` runs every seed with more kills."""
    parser.addoption(
        "--faults", choices=sorted(SEEDS), default="seeded", help="how much of the fault matrix"
    )


def extent(config: pytest.Config) -> str:
    """What was asked for; the option is unknown where the whole suite is collected."""
    return str(config.getoption("faults", "seeded"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a seed runs once for each of them."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", SEEDS[extent(metafunc.config)])


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often each victim is killed, at least."""
    return ROUNDS[extent(pytestconfig)]
