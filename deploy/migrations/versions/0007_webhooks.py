"""Webhooks: subscriptions, their secrets, what is to be delivered to them, and every attempt."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the script beside this file; `-- §` begins each statement."""
    script = Path(__file__).with_suffix(".sql").read_text()
    for statement in script.split("-- §"):
        op.get_bind().exec_driver_sql(f"-- {statement}")
