"""Row security: what may hold content nobody should read is read by its readers alone."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the script beside this file; `-- §` begins each statement."""
    script = Path(__file__).with_suffix(".sql").read_text()
    for statement in script.split("-- §"):
        op.get_bind().exec_driver_sql(f"-- {statement}")
