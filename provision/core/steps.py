"""The five steps that explain what became of one account, in words: in scope, matched, mapped, sent, answered.

Owns the sentences, as data; knows no row and no language but the one they are written in (pages translate them).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from provision.core.remedies import Remedy, explain

About = Literal["scope", "match", "mapping", "sent", "answer"]
Verdict = Literal["yes", "no", "waits", "nothing"]

ASKED: Mapping[About, str] = {
    "scope": "In scope?",
    "match": "Matched by?",
    "mapping": "Mapped how?",
    "sent": "What was sent?",
    "answer": "What came back?",
}

SAID: Mapping[str, str] = {
    "scope.yes": "%(user)s is %(lifecycle)s here, and nothing keeps %(app)s from being written to.",
    "scope.left": "%(user)s has left here, and nothing keeps %(app)s from being written to.",
    "scope.no": "%(why)s. %(do)s",
    "scope.nobody": "%(user)s is %(lifecycle)s here, so no account is made in %(app)s.",
    "scope.nobody_left": "%(user)s has left here, so no account is made in %(app)s.",
    "match.ours": "By its id: the account was created from here.",
    "match.created": "By its id: the person was added here from this account.",
    "match.exact": "By a rule: %(ours)s here is %(theirs)s there; since then by its id.",
    "match.decided": "Somebody decided that it is theirs; since then by its id.",
    "match.linked": "By its id.",
    "match.absent": "Nobody yet: the account is to be created.",
    "match.gone": "By its id, but the account is gone there.",
    "match.none": "Nobody there belongs to this person.",
    "mapping.rows": "%(n)s attributes are mapped; %(differ)s would be written.",
    "mapping.none": "No row of the mapping leads there.",
    "sent.done": "This, in one call.",
    "sent.nothing": "Nothing: what is there is what the mapping wants.",
    "sent.barred": "Nothing.",
    "sent.here": "Nothing of these: %(why)s.",
    "sent.declined": "Nothing: somebody declined exactly this before.",
    "sent.unplanned": "Nothing yet: nobody has asked for it since it became due.",
    "sent.review": "Nothing yet: it waits for somebody to approve it.",
    "sent.brake": "Nothing yet: the brake holds it until somebody allows it.",
    "sent.waiting": "Nothing yet: it goes out at %(at)s.",
    "sent.running": "It is on its way at this moment.",
    "sent.checking": "It was sent and no clear answer came; we look whether it worked.",
    "answer.done": "Done. The app confirmed it.",
    "answer.failed": "%(why)s. %(do)s",
    "answer.waits": "%(why)s. %(do)s",
    "answer.none": "Nothing was ever sent for this account.",
    "answer.earlier": "Nothing was sent this time; the last change was confirmed.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``said`` is a key of ``SAID``, ``blanks`` fill it; ``pairs``: label, was, becomes; ``remedy``: what helps.

    ``proof``: what support asks for (a request's id, how long it took).
    """

    about: About
    verdict: Verdict
    said: str
    blanks: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[str, Any, Any], ...] = ()
    remedy: Remedy | None = None
    proof: str = ""

    @property
    def sentence(self) -> str:
        """The sentence, filled, in the language it is written in."""
        return SAID[self.said] % self.blanks


def refused(about: About, verdict: Verdict, said: str, code: str, params: Mapping[str, Any]) -> Step:
    """A step that ends at a remedy."""
    remedy = explain(code, params)
    return Step(about, verdict, said, {"why": remedy.title, "do": remedy.do}, remedy=remedy)
