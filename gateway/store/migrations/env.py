"""Run by Alembic for `migrate`, on a connection whose transaction `migrate` began and ends."""

from alembic import context

from gateway.store import migrations

_which = context.config.attributes["which"]
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=migrations.metadata(_which),
    version_table=migrations.version_table(_which),
    transactional_ddl=True,  # true of SQLite too, since BEGIN is ours; and Alembic then begins nothing itself
)
context.run_migrations()
