"""How Alembic reaches the database. It runs only through ``Database.migrate`` and the developer's ``make migration``."""

import sqlalchemy as sa
from alembic import context
from sqlmodel import SQLModel

import provision.core.tables  # noqa: F401  (registers every table)
from provision.migrations import sizes

engine: sa.Engine = context.config.attributes["engine"]
is_sqlite = engine.dialect.name == "sqlite"


def run() -> None:
    """One transaction for all steps: a killed migration leaves the old schema or the new one."""
    with engine.connect().execution_options(provision_writes=True) as connection:
        if is_sqlite:
            # Batch mode rebuilds tables; while it does, rows point at tables that are not there. Cannot be said inside
            # a transaction, so it is said on the bare connection before one begins.
            connection.connection.execute("PRAGMA foreign_keys=OFF")
        try:
            context.configure(
                connection=connection,
                target_metadata=SQLModel.metadata,
                render_as_batch=is_sqlite,
                compare_type=True,
                transactional_ddl=True,
            )
            with context.begin_transaction():
                context.run_migrations()
                if is_sqlite:
                    sizes.tell(connection)
            if connection.in_transaction():
                connection.commit()
        finally:
            if is_sqlite:
                connection.rollback()
                connection.connection.execute("PRAGMA foreign_keys=ON")


run()
