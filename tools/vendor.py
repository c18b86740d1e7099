"""Owns static/vendor and static/icons.svg: fetches the named releases through npm and checks each against the manifest.

Never runs a package's scripts, adds a file the manifest does not name, or changes a hash unless told to accept it.

    python tools/vendor.py            fetch again, refuse anything whose SHA-384 differs, write the files
    python tools/vendor.py --check    compare the files on disk with the manifest; no network
    python tools/vendor.py --accept   fetch and write new hashes: after a version or an icon was changed in the manifest
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parent.parent / "static"
MANIFEST = STATIC / "vendor" / "manifest.json"
ICONS = "@tabler/icons"


class Mismatch(Exception):
    """A file is missing or is not the one the manifest names."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetch and verify the vendored front-end files.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only compare the files on disk with the manifest")
    mode.add_argument("--accept", action="store_true", help="write the hashes of what was fetched into the manifest")
    chosen = parser.parse_args(arguments)
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    try:
        if not chosen.check:
            fetch(manifest, accept=chosen.accept)
        verify(manifest)
    except (Mismatch, subprocess.CalledProcessError) as problem:
        sys.stderr.write(f"vendor: {problem}\n")
        return 1
    sys.stdout.write(f"vendor: {len(paths(manifest))} files are the ones the manifest names\n")
    return 0


def digest(content: bytes) -> str:
    """Subresource-integrity form, so that a value can be pasted into an `integrity` attribute."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode("ascii")


def paths(manifest: dict[str, Any]) -> dict[str, str]:
    """Every vendored path below static/, with the hash it must have."""
    wanted = {
        f"vendor/{release}/{name}": entry["sha384"]
        for release, package in manifest["packages"].items()
        for name, entry in package["files"].items()
    }
    return wanted | {"icons.svg": manifest["sprite"]["sha384"]}


def verify(manifest: dict[str, Any], static: Path = STATIC) -> None:
    """Raises Mismatch for a file that is missing, different, or present without being named."""
    wanted = paths(manifest)
    for path, expected in wanted.items():
        file = static / path
        if not file.is_file():
            raise Mismatch(f"static/{path} is missing")
        if digest(file.read_bytes()) != expected:
            raise Mismatch(f"static/{path} is not the file the manifest names")
    for file in (static / "vendor").rglob("*"):
        path = file.relative_to(static).as_posix()
        if file.is_file() and path not in wanted and file.name != MANIFEST.name:
            raise Mismatch(f"static/{path} is not named in the manifest")


def fetch(manifest: dict[str, Any], *, accept: bool) -> None:
    """Nothing is written unless every file of every package has its expected hash (or `accept` was given)."""
    fresh: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for release, package in manifest["packages"].items():
            unpacked = unpack(release, Path(folder))
            for name, entry in package["files"].items():
                # Some releases carry no licence file: that one is kept by hand and has no source.
                if entry["source"] is not None:
                    fresh[f"vendor/{release}/{name}"] = (unpacked / entry["source"]).read_bytes()
            if release.startswith(ICONS + "@"):
                fresh["icons.svg"] = sprite(unpacked / "icons" / "outline", manifest["sprite"]["icons"], release)
    if accept:
        record(manifest, fresh)
    wanted = paths(manifest)
    for path, content in fresh.items():
        if digest(content) != wanted[path]:
            raise Mismatch(f"what npm delivered for static/{path} is not the file the manifest names")
    for path, content in fresh.items():
        (STATIC / path).parent.mkdir(parents=True, exist_ok=True)
        (STATIC / path).write_bytes(content)


def unpack(release: str, folder: Path) -> Path:
    """`npm pack` downloads the archive and runs nothing of it."""
    target = folder / release.replace("/", "+")
    target.mkdir()
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(target), release]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as bundle:
        bundle.extractall(target, filter="data")
    return target / "package"


def sprite(folder: Path, names: list[str], release: str) -> bytes:
    """One file of <symbol>s; stroke and size come from the page's own stylesheet."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg">',
        f"<!-- Outlines from {release}, MIT licence: see vendor/{release}/LICENSE. Built by tools/vendor.py. -->",
    ]
    for name in sorted(set(names)):
        outline = (folder / f"{name}.svg").read_text("utf-8")
        drawn = [path for path in re.findall(r"<path[^>]*/>", outline) if 'stroke="none"' not in path]
        lines.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(drawn)}</symbol>')
    return ("\n".join([*lines, "</svg>"]) + "\n").encode("utf-8")


def record(manifest: dict[str, Any], fresh: dict[str, bytes]) -> None:
    for release, package in manifest["packages"].items():
        for name, entry in package["files"].items():
            path = f"vendor/{release}/{name}"
            entry["sha384"] = digest(fresh[path] if path in fresh else (STATIC / path).read_bytes())
    manifest["sprite"]["sha384"] = digest(fresh["icons.svg"])
    MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
