"""Bring the catalogues up to date: collect the words of the pages that everybody may open, keep what is translated.

usage: words.py
What is new comes in empty, what is gone goes out; nothing is guessed. Translators edit provision/translations/*.po.
"""

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from provision.core.onboarding import LANGUAGES
from provision.core.remedies import explain
from provision.web.tongues import SPOKEN

ROOT = Path(__file__).parents[1]
FOLDERS = ("activate", "forgot")
TARGET = ROOT / "provision" / "translations"


def collected() -> Catalog:
    """Every text that these pages show, with the file it stands in."""
    found = Catalog(project="provision", charset="utf-8", fuzzy=False)
    for path in sorted(path for folder in FOLDERS for path in (ROOT / "templates" / folder).glob("*.html")):
        with path.open("rb") as file:
            for _line, message, _comments, _context in extract(
                babel_extract, file, options={"newstyle_gettext": "true"}
            ):
                found.add(message, locations=[(path.relative_to(ROOT).as_posix(), 0)], flags=[])
    said: list[str] = []

    def noted(text: str) -> str:
        said.append(text)
        return text

    for code in SPOKEN:
        explain(code, translate=noted)
    for text in said:
        found.add(text, locations=[("provision/core/remedies/en.toml", 0)])
    return found


def main() -> int:
    wanted = collected()
    for language in LANGUAGES:
        if language == "en":
            continue
        path = TARGET / f"{language}.po"
        known = read_po(path.open("rb"), locale=language) if path.exists() else Catalog(locale=language)
        fresh = Catalog(locale=language, project="provision", charset="utf-8", fuzzy=False)
        for message in wanted:
            if message.id:
                old = known.get(message.id)
                fresh.add(message.id, old.string if old else None, locations=message.locations, flags=message.flags)
        out = BytesIO()
        write_po(out, fresh, width=120, omit_header=False, sort_output=False, no_location=False, include_lineno=False)
        path.write_bytes(_headed(out.getvalue()))
        missing = sum(not message.string for message in fresh if message.id)
        print(f"{language}: {len(fresh)} texts, {missing} without a translation")
    return 0


def _headed(text: bytes) -> bytes:
    """The file without the dates and names that a tool would change at every run."""
    head, body = text.split(b"\n\n", 1)
    kept = [line for line in head.split(b"\n") if line.startswith((b"msg", *_KEPT))]
    return b"\n".join(kept) + b"\n\n" + body


_KEPT = tuple(f'"{name}'.encode() for name in ("Language:", "Plural-Forms", "MIME-Version", "Content-"))


if __name__ == "__main__":
    sys.exit(main())
