"""Appends take fewer arrays: what the order of the events says already is not said again."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the script beside this file; `-- §` begins each statement."""
    script = Path(__file__).with_suffix(".sql").read_text()
    for statement in script.split("-- §"):
        op.get_bind().exec_driver_sql(f"-- {statement}")
