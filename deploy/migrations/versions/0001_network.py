"""Roles, the log's Postgres home, the decision store, ticks, and what the runner keeps."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the script beside this file; `-- §` begins each statement."""
    script = Path(__file__).with_suffix(".sql").read_text()
    for statement in script.split("-- §"):
        op.get_bind().exec_driver_sql(f"-- {statement}")
