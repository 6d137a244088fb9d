"""Alembic's entry: migrates on the connection that `deploy.migrations.run` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="migrations")
with context.begin_transaction():
    context.run_migrations()
