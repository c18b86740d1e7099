"""Mails: what left, what waits and what came back, a test mail, and the files that stand in for a mail server.

Owns the pages; sending is the leader's affair. A kept file holds a live link, so only owners open one.
"""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Annotated, Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from provision.core.post import judge_address
from provision.core.remedies import Remedy, explain
from provision.core.vocabulary import MailState, MailTemplate, Role
from provision.services import mail, settings
from provision.services.mail import Asked
from provision.web import guard
from provision.web.forms import Form, Maybe, Number, read
from provision.web.page import after, house, page

bp = Blueprint("mails", __name__)


class Wanted(Form):
    """What the address of the list may say."""

    state: Annotated[MailState | None, Maybe] = None
    before: Number = None


@bp.get("/t/<tenant>/settings/mails", endpoint="list")
@guard.may(Role.AUDITOR)
def every() -> Response:
    """One page of mails, newest first."""
    wanted, _problems = read(Wanted, request.args)
    wanted = wanted or Wanted()
    with house().db.reading() as session:
        found = mail.listed(session, g.tenant.id, state=wanted.state, before=wanted.before)
        counts, trouble = mail.counted(session, g.tenant.id), mail.trouble(session)
    told = house().settings
    return page(
        "mails/list.html", block="live", found=found, counts=counts, wanted=wanted, keeps=house().mailer.keeps,
        sender=house().mailer.sender, server=told.mail_server, trouble=_remedy(trouble), until=_until(trouble),
        live=counts[MailState.QUEUED] > 0 and not wanted.before, remedy_of=_remedy, may_open=g.role == Role.OWNER,
        to=g.operator.email,
    )  # fmt: skip


@bp.post("/t/<tenant>/settings/mails")
@guard.may(Role.OWNER)
def test() -> Response:
    """Ask for a test mail; what becomes of it stands in the list."""
    address = judge_address(request.form.get("to", "")[:320])
    if address is None:
        return after(url_for("mails.list"), explain("email_malformed").what, tone="warn")
    with house().db.writing() as session:
        language = settings.onboarding(session, g.tenant.id).language
        mail.enqueue(session, g.tenant.id, MailTemplate.TEST, Asked(address, language), g.now)
    return after(url_for("mails.list"), _("A test mail to %(address)s is on its way.", address=address))


@bp.get("/t/<tenant>/settings/mails/<int:number>")
@guard.may(Role.OWNER)
def show(number: int) -> Response:
    """A mail that lies here as a file, as its reader would see it."""
    with house().db.reading() as session:
        row = mail.one(session, g.tenant.id, number)
    kept = house().mailer.kept(row.message_id)
    message = message_from_bytes(kept, policy=default) if kept else None
    return page("mails/show.html", mail=row, headers=_head(message), lines=_lines(message), remedy=_remedy(row.error))


# -- Putting the pages together ------------------------------------------------------------------------------------------


def _head(message: EmailMessage | None) -> list[tuple[str, str]]:
    words = {"From": _("From"), "To": _("To"), "Reply-To": _("Reply to"), "Subject": _("Subject"), "Date": _("Date")}
    return [(str(word), str(message[name])) for name, word in words.items() if message[name]] if message else []


def _lines(message: EmailMessage | None) -> list[tuple[str, bool]]:
    """The text, line by line, and whether a line is a link of this installation's."""
    body = message.get_body(("plain",)) if message else None
    text = str(body.get_content()) if body else ""
    return [(line, line.startswith(f"{house().settings.public_url}/")) for line in text.splitlines()]


def _remedy(error: Any) -> Remedy | None:
    return explain(error["code"], error.get("params") or {}) if error else None


def _until(trouble: Any) -> str:
    return str(trouble["until"]) if trouble else ""
