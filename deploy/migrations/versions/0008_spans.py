"""What was so at a moment by index: a span of time beside a text in one GiST index."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Operator classes for texts; the extension is trusted, so the database's owner may."""
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
