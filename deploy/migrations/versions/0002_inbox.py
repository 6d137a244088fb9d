"""How far the doors have read the inboxes of centres with producers of their own."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the script beside this file; `-- §` begins each statement."""
    script = Path(__file__).with_suffix(".sql").read_text()
    for statement in script.split("-- §"):
        op.get_bind().exec_driver_sql(f"-- {statement}")
