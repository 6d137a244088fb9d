"""`kamkap rebuild`: read models built anew beside the live ones."""

from collections.abc import Sequence

from services.cli.bar import progress_bar
from services.operation.connections import log_of, pool_of
from services.operation.settings import Settings
from services.projections.rebuild import Done, Rebuild


async def run_rebuild(settings: Settings, models: Sequence[str]) -> int:
    """The models stand rebuilt in the place of the live ones, which answered until then."""
    async with (
        pool_of(settings, "kamkap_projections", size=6) as pool,
        log_of(settings, pool) as log,
    ):
        rebuilding = Rebuild(pool, log, models)
        with progress_bar() as bar:
            task = bar.add_task(" ".join(models), total=None)

            def report(done: Done) -> None:
                bar.update(task, completed=done.applied, total=done.total)

            await rebuilding.run(report)
    return 0
