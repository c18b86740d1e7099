"""What a value from outside looks like once it may be stored or sent.

Owns the cleaning of texts and of mail nicknames; never decides whether a value flows.
"""

import re

from provision.core.expressions import as_text
from provision.core.transliteration import to_ascii

MAX_VALUE = 10_000
"""Characters of one value; what is longer is cut, on both sides alike, so that a cut value is no difference."""

# Controls, line and paragraph separators, lone surrogates, and the marks that reverse the order of what is shown.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
# Entra's rule for mailNickname: ASCII without @ ( ) \ [ ] " ; : < > , and space; no dot at either end; 64 at most.
_NOT_IN_NICKNAME = re.compile(r'[^!-~]|[@()\\\[\]";:<>,]')


def clean(value: object) -> str | None:
    """Turn any value a directory holds into one line of text, or None when nothing is left.

    Runs of control characters and line breaks become one space; lists become their texts joined by "; ".
    """
    if type(value) is str and len(value) <= MAX_VALUE and value.isprintable():  # nearly all of them
        return value.strip() or None
    text = as_text(value, MAX_VALUE)
    if not text.isprintable():
        text = _UNFIT.sub(" ", text)
    return text.strip() or None


def clean_nickname(text: str) -> str | None:
    """Make a mail nickname that Entra accepts, or None when nothing is left: *Łukasz Ż.* → *LukaszZ*."""
    return _NOT_IN_NICKNAME.sub("", to_ascii(text))[:64].strip(".") or None
