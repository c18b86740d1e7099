"""Onboarding Status: how far people have come to their own password, sending them links, and what that led to.

Owns how the list is asked for and answered; whom a link can help, and the links themselves, are the services' affair.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.onboarding import LANGUAGES, language_of
from provision.core.remedies import Remedy, explain
from provision.core.tables import User
from provision.core.vocabulary import Invited, MailState, MailTemplate, Role
from provision.services import activation, mail, reports, settings
from provision.services.activation import Wanted
from provision.services.errors import NotFound
from provision.services.reports import Funnel
from provision.services.users import shown
from provision.web import guard
from provision.web.chart import narrowing
from provision.web.forms import Form, Line, Maybe, Number, read
from provision.web.page import after, house, page

bp = Blueprint("onboarding", __name__)

_SAMPLE = 5
_DEEDS = ("send", "revoke")


class Asked(Form):
    """What the address of the list may say; what it cannot mean is left out."""

    q: Line = ""
    state: Annotated[Invited | None, Maybe] = None
    after: Number = None
    before: Number = None

    def wanted(self) -> Wanted:
        """The same as the service asks it."""
        return Wanted(self.state, self.q, self.after, None if self.after else self.before)


@bp.get("/t/<tenant>/onboarding", endpoint="list")
@guard.may(Role.AUDITOR)
def every() -> Response:
    """One page of people with where they stand; htmx takes the rows alone."""
    asked = _asked(request.args)
    with house().db.reading() as session:
        found = activation.status(session, g.tenant.id, asked.wanted(), house().kinds, g.now)
        way, trouble = reports.funnel(session, g.tenant.id), mail.trouble(session)
        paced, shut = mail.paced(session, g.tenant.id), activation.obstacles(session, g.tenant.id, house().kinds)
    return page(
        "onboarding/list.html", block="rows", asked=asked, found=found, steps=_steps(way), states=_states(found.counts),
        matching=found.total if asked.state is None else found.counts[asked.state], keeps=house().mailer.keeps,
        obstacles=[(explain(why.code or "", why.params), app) for app, why in shut], told_above={why.code for _, why in shut},
        trouble=_remedy(trouble), paced=paced, may_send=g.role != Role.AUDITOR,
    )  # fmt: skip


@bp.post("/t/<tenant>/onboarding")
@guard.may(Role.OPERATOR)
def apply() -> Response:
    """Select Action, Apply: at once for who was ticked; for everybody that matches, the number is shown first."""
    do, everyone = request.form.get("do", ""), bool(request.form.get("everyone"))
    asked = _asked(request.form)
    with house().db.writing() as session:
        people = _matching(session, asked) if everyone else _ticked()
        if do not in _DEEDS or not people:
            return after(_back(asked), _told_nothing(do, people), tone="warn")
        if everyone and request.form.get("token") != _seal(people):
            return _ask(session, do, asked, people)
        if do == "revoke":
            ended = activation.revoke(session, g.tenant.id, people, g.actor, g.now)
            return after(_back(asked), ngettext("One link was revoked.", "%(num)s links were revoked.", len(ended)))
        activation.issue(session, g.tenant.id, people, g.actor, g.now, vault=house().vault, kinds=house().kinds)
    return after(url_for("onboarding.sent", at=g.now.isoformat()))


@bp.get("/t/<tenant>/onboarding/sent")
@guard.may(Role.AUDITOR)
def sent() -> Response:
    """What a sending led to, person by person; it looks again while mails are on their way."""
    with house().db.reading() as session:
        found = reports.results(session, g.tenant.id, g.actor, _at(request.args.get("at", "")))
    if not found:
        raise NotFound("page_not_found")
    counts = Counter(one.state.value if one.state else "refused" for one in found)
    return page(
        "onboarding/sent.html", block="live", found=found, counts=counts, keeps=house().mailer.keeps,
        live=counts[MailState.QUEUED.value] > 0, remedy_of=_explained,
    )  # fmt: skip


@bp.get("/t/<tenant>/onboarding/preview")
@guard.may(Role.AUDITOR)
def preview() -> Response:
    """The mail as it would look, for one person or an invented one; its link leads nowhere."""
    with house().db.reading() as session:
        chosen = settings.onboarding(session, g.tenant.id)
        person = _person(session, request.args.get("user", ""))
        asked = request.args.get("language", "")
        language = (
            asked if asked in LANGUAGES else language_of(person.preferred_language if person else None, chosen.language)
        )
        letter = mail.preview(
            session, house().stationery, g.tenant.id, MailTemplate.ACTIVATION, language, g.now, person=person
        )
    return page(
        "onboarding/preview.html", letter=letter, language=language, languages=LANGUAGES, person=person,
        name=shown(person.model_dump()) if person else "", sender=house().mailer.sender,
        sender_name=chosen.sender or chosen.organisation or g.tenant.name,
    )  # fmt: skip


# -- Putting the pages together ------------------------------------------------------------------------------------------


def _ask(session: Session, do: str, asked: Asked, people: Sequence[int]) -> Response:
    """How many, who, and who is left out; the answer is an answer to exactly this list."""
    blocked = activation.why_blocked(session, g.tenant.id, people, house().kinds) if do == "send" else {}
    refused = Counter((one.code, tuple(sorted(one.params.items()))) for one in blocked.values() if one.code)
    sample = [session.get(User, number) for number in people[:_SAMPLE]]
    return page(
        "onboarding/apply.html",
        do=do,
        asked=asked,
        token=_seal(people),
        number=len(people),
        able=len(people) - sum(refused.values()),
        refused=[(_explained(code, dict(params)), n) for (code, params), n in refused.items()],
        sample=[shown(row.model_dump()) for row in sample if row],
        changed=bool(request.form.get("token")),
    )


def _asked(values: Any) -> Asked:
    asked, problems = read(Asked, values)
    return asked or Asked.model_validate({name: value for name, value in values.items() if name not in problems})


def _matching(session: Session, asked: Asked) -> list[int]:
    return activation.matching(session, g.tenant.id, Wanted(asked.state, asked.q), house().kinds, g.now)


def _ticked() -> list[int]:
    texts = request.form.getlist("chosen")
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19]


def _seal(people: Sequence[int]) -> str:
    return hashlib.sha256(",".join(map(str, sorted(people))).encode()).hexdigest()[:32]


def _told_nothing(do: str, people: Sequence[int]) -> str:
    if do not in _DEEDS:
        return str(_("Choose an action first. Nothing was done."))
    return explain("nothing_chosen").what if not people else ""


def _back(asked: Asked) -> str:
    return url_for("onboarding.list", q=asked.q or None, state=asked.state.value if asked.state else None)


def _steps(way: Funnel) -> list[dict[str, Any]]:
    """The funnel in words: each step, its number, and how many stopped before the next."""
    everyone, sent, opened, done = way.steps
    share = f"{done / everyone:.0%}" if everyone else "0%"
    told = (
        (everyone, _("Everyone"), ngettext("One not mailed yet", "%(num)s not mailed yet", everyone - sent)),
        (sent, _("Mail sent"), ngettext("One has not opened", "%(num)s have not opened", sent - opened)),
        (opened, _("Page opened"), ngettext("One stopped here", "%(num)s stopped here", opened - done)),
        (done, _("Password set"), _("%(share)s of everyone", share=share)),
    )
    paths = narrowing(way.steps)
    return [
        {"n": n, "label": label, "note": note, "path": path} for (n, label, note), path in zip(told, paths, strict=True)
    ]


def _states(counts: Any) -> list[tuple[Invited, str, int]]:
    words = {
        Invited.NOT_INVITED: _("Not invited"),
        Invited.QUEUED: _("Mail queued"),
        Invited.SENT: _("Sent"),
        Invited.OPENED: _("Opened"),
        Invited.PASSWORD_SET: _("Password set"),
        Invited.BOUNCED: _("Bounced"),
        Invited.EXPIRED: _("Expired"),
        Invited.BLOCKED: _("Cannot be invited"),
    }
    return [(state, str(word), counts[state]) for state, word in words.items()]


def _person(session: Session, text: str) -> User | None:
    if not text:
        return None
    row = session.get(User, int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if row is None or row.tenant_id != g.tenant.id:
        raise NotFound("user_not_found")
    session.expunge(row)
    return row


def _at(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return at.astimezone(g.now.tzinfo)
    except (ValueError, OverflowError) as error:
        raise NotFound("page_not_found") from error


def _remedy(trouble: Any) -> Remedy | None:
    return explain(trouble["code"], trouble["params"]) if trouble else None


def _explained(code: str | None, params: Any) -> Remedy | None:
    """Why, in words."""
    return explain(code, params) if code else None


@bp.app_template_global()
def remedy_for(code: str | None, params: Any) -> Remedy | None:
    """Why somebody cannot be invited, in words."""
    return _explained(code, params)
