"""Write the next migration from the difference between the tables and the newest schema. ``make migration NAME=…``."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from provision.db import Database


def main(message: str) -> None:
    """Migrate a throw-away SQLite file to the newest schema and let Alembic compare."""
    if not message.strip():
        sys.exit('say what changed: make migration NAME="what changed"')
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/compare.db", lock_dir=Path(folder))
        database.migrate()
        config = Config()
        config.set_main_option("script_location", "provision/migrations")
        config.attributes["engine"] = database.engine
        existing = len(list(Path("provision/migrations/versions").glob("[0-9]*.py")))
        command.revision(config, message, autogenerate=True, rev_id=f"{existing + 1:04d}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
