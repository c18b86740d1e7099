"""Lock the dependencies with hashes, for every platform, and refuse a lock file that names an index. ``make lock``."""

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("--extra", "dev")}


def main() -> None:
    """Compile both lock files with uv, which lives in a throw-away environment."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "uv"], check=True)
        for name, extra in LOCKS.items():
            subprocess.run(
                [
                    f"{folder}/bin/uv", "pip", "compile", "pyproject.toml", *extra, "--generate-hashes", "--universal",
                    "--no-emit-index-url", "--no-strip-extras", "--no-header", "--python-version", "3.11", "--quiet",
                    "--output-file", name,
                ],
                check=True,
            )  # fmt: skip
            if re.search(r"https?://", Path(name).read_text()):
                sys.exit(f"{name} names an address; it must hold names, versions and hashes only")


if __name__ == "__main__":
    main()
