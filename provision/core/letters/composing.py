"""Words and values become a letter: a subject of one line, a plain text, and the same as HTML with nothing from outside.

Owns the filling of placeholders and the escaping; every value is taken for hostile. Knows no person and sends nothing.
"""

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import css_inline
from markupsafe import Markup, escape

from provision.core.letters.words import CURLY, Words
from provision.core.logos import Logo

_LONGEST_VALUE = 120
_WEB = re.compile(r"://|www\.|\w\.[a-z]{2,}/", re.IGNORECASE)
_ADDRESSES = ("link", "page")


@dataclass(frozen=True, slots=True)
class Seal:
    """An organisation's logo above a letter: what it is, its bytes, and where a page of ours finds it."""

    logo: Logo
    content: bytes
    url: str

    @property
    def cid(self) -> str:
        """By this name the HTML of a mail finds the picture in the same mail (RFC 2392)."""
        return f"{self.logo.digest[:32]}@logo.provision"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says. ``inside`` is the HTML of the letter alone, for a page that brings ``css`` itself.

    ``seal``: the picture that ``html`` shows, which travels with it.
    """

    subject: str
    text: str
    html: str
    inside: Markup
    seal: Seal | None = None


def compose(
    words: Words,
    values: Mapping[str, str],
    around: Mapping[str, str],
    *,
    css: str,
    language: str,
    organisation: str,
    seal: Seal | None = None,
) -> Letter:
    """Put a letter together.

    A paragraph that is nothing but ``{link}`` becomes a button in HTML. A value may hold anything: it stays one line of
    text, is cut when it is long, and a name that looks like a web address is left out, because mail programs make links
    of such words by themselves.
    """
    told = {name: value if name in _ADDRESSES else _tame(value) for name, value in values.items()}
    organisation = _tame(organisation)
    subject = " ".join(_filled(words.subject, told).split())[:200]
    paragraphs = [block.strip() for block in re.split(r"\n\s*\n", words.body.replace("\r\n", "\n")) if block.strip()]
    footer = _filled(around["footer"], {**told, "organisation": organisation})
    text = "\n\n".join([_filled(block, told) for block in paragraphs] + [f"-- \n{footer}"]) + "\n"
    rest = _inside(paragraphs, told, around, footer)
    inside = _head(organisation, seal, seal.url if seal else "") + rest
    mailed = _head(organisation, seal, f"cid:{seal.cid}") + rest if seal else inside
    page = _PAGE.format(language=language, subject=subject, css=Markup(css), inside=mailed)  # noqa: S704  our own file
    return Letter(subject=subject, text=text, html=_inlined(str(page)), inside=inside, seal=seal)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _tame(value: str) -> str:
    """One short line without invisible signs; nothing when it would become a link."""
    shown = "".join(sign if unicodedata.category(sign)[0] != "C" else " " for sign in value)
    line = " ".join(shown.split())
    if _WEB.search(line):
        return "…"
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 1]}…"


def _filled(text: str, values: Mapping[str, str]) -> str:
    return CURLY.sub(lambda found: values.get(found[1], "…"), text)


def _marked(text: str, values: Mapping[str, str]) -> Markup:
    """The same as HTML: all of it escaped, addresses as links, lines kept."""
    parts, end = [], 0
    for found in CURLY.finditer(text):
        parts.append(escape(text[end : found.start()]))
        value = values.get(found[1], "…")
        is_link = found[1] in _ADDRESSES and value.startswith(("https://", "http://"))
        parts.append(Markup('<a href="{0}">{0}</a>').format(value) if is_link else escape(value))
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup(str(Markup("").join(parts)).replace("\n", "<br>"))  # noqa: S704  escaped above, part by part


def _head(organisation: str, seal: Seal | None, address: str) -> Markup:
    """Who writes: the name, with the logo beside it, or instead of it where the logo says it."""
    if seal is None:
        return Markup('<p class="l-org">{}</p>\n').format(organisation)
    width, height = seal.logo.fitted(*(_WIDE if seal.logo.speaks else _SQUARE))
    alone = seal.logo.speaks
    picture = _PICTURE.format(address=address, width=width, height=height, alt=organisation if alone else "")
    return Markup('<p class="l-org">{}{}</p>\n').format(picture, "" if alone else f" {organisation}")


def _inside(paragraphs: list[str], values: Mapping[str, str], around: Mapping[str, str], footer: str) -> Markup:
    parts: list[Markup] = []
    for block in paragraphs:
        if block == "{link}" and values.get("link", "").startswith(("https://", "http://")):
            parts.append(_BUTTON.format(link=values["link"], button=around["button"], below=around["below"]))
        else:
            parts.append(Markup("<p>{}</p>").format(_marked(block, values)))
    parts.append(Markup('<p class="l-foot">{}</p>').format(footer))
    return Markup("\n").join(parts)


_WIDE, _SQUARE = (240, 48), (40, 40)
_PICTURE = Markup('<img class="l-logo" src="{address}" width="{width}" height="{height}" alt="{alt}">')
_BUTTON = Markup(
    '<p class="l-act"><a class="l-button" href="{link}">{button}</a></p>\n'
    '<p class="l-below">{below}<br><a href="{link}">{link}</a></p>'
)
_PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<title>{subject}</title>\n<style>{css}</style>\n</head>\n'
    '<body class="l-page"><div class="letter">\n{inside}\n</div></body>\n</html>\n'
)


def _inlined(page: str) -> str:
    """Style sheets are dropped by many mail programs, so rules move to their elements; what asks for the screen stays."""
    return _inliner().inline(page)


@functools.cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
