"""Run by Alembic; it migrates over the connection `upgrade` hands it."""

from alembic import context

from newsletter.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
