"""Settings of a tenant: how it brings people to their passwords, and what its mails say.

Owns the forms; what may be chosen is judged by core, and kept by the service.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from provision.core import letters
from provision.core.letters import Words
from provision.core.logos import Logo
from provision.core.onboarding import LANGUAGES, OnboardingSettings, judge
from provision.core.vocabulary import MailTemplate, Role
from provision.services import logos, mail, settings
from provision.services.errors import Conflict, Invalid, NotFound
from provision.web import guard
from provision.web.forms import said
from provision.web.logos import seen
from provision.web.page import after, house, page

bp = Blueprint("settings", __name__)


@bp.get("/t/<tenant>/settings")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """What this tenant chose for onboarding."""
    return _form({}, {})


@bp.post("/t/<tenant>/settings")
@guard.may(Role.OWNER)
def save() -> Response:
    """Keep it, or say at the field what cannot be."""
    chosen, problems = judge(
        {name: request.form[name] for name in OnboardingSettings.model_fields if name in request.form}
    )
    if chosen is None:
        return _form(request.form, _sentences(problems), 422)
    loaded = request.form.get("version", "")
    try:
        with house().db.writing() as session:
            settings.save_onboarding(
                session, g.tenant.id, chosen, g.actor, g.now, loaded=int(loaded) if loaded.isdecimal() else None
            )
            mail.look_anew(session, g.tenant.id, g.now)
    except Conflict as error:
        return _form(request.form, said(Invalid({"": error.code})), 409)
    return after(url_for("settings.show"), _("Saved."))


@bp.post("/t/<tenant>/settings/logo")
@guard.may(Role.OWNER)
def logo() -> Response:
    """Take another logo, let mails carry it or not, or remove it."""
    content = b""
    if sent := request.files.get("logo"):
        with closing(sent):
            content = sent.read()
    try:
        with house().db.writing() as session:
            told = _keep_logo(session, content)
    except Invalid as error:
        return _form({}, {}, 422, logo_error=said(error)["logo"])
    return after(url_for("settings.show"), told)


@bp.get("/t/<tenant>/settings/letters/<template>/<language>")
@guard.may(Role.AUDITOR)
def letter(template: str, language: str) -> Response:
    """The words of one mail in one language, beside how it looks."""
    place = _place(template, language)
    with house().db.reading() as session:
        return _letter(session, *place, settings.words(session, g.tenant.id, *place))


@bp.post("/t/<tenant>/settings/letters/<template>/<language>")
@guard.may(Role.OWNER)
def write(template: str, language: str) -> Response:
    """Keep other words, look at them first, or go back to the built-in ones."""
    place, do = _place(template, language), request.form.get("do", "save")
    own = Words(request.form.get("subject", ""), request.form.get("body", "").replace("\r\n", "\n"))
    if do == "look":
        problems = letters.judge(place[0], own)
        with house().db.reading() as session:
            return _letter(session, *place, own, _sentences(problems))
    try:
        with house().db.writing() as session:
            if do == "reset":
                settings.reset_words(session, g.tenant.id, *place, g.actor, g.now)
            else:
                settings.save_words(session, g.tenant.id, *place, own, g.actor, g.now)
    except Invalid:
        with house().db.reading() as session:
            return _letter(session, *place, own, _sentences(letters.judge(place[0], own)), 422)
    told = _("The built-in words are back.") if do == "reset" else _("Saved. The next mail says this.")
    return after(url_for("settings.letter", template=template, language=language), told)


# -- Putting the pages together ------------------------------------------------------------------------------------------


def _sentences(problems: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, (code, blanks) in problems.items():
        found |= said(Invalid({field: code}, **blanks))
    return found


def _keep_logo(session: Any, content: bytes) -> str:
    """Do what the button says; what to tell of it."""
    if request.form.get("do") == "remove":
        logos.remove(session, g.tenant.id, g.actor, g.now)
        return str(_("The logo is removed."))
    in_mails = "in_mails" in request.form
    if content or logos.of(session, g.tenant.id) is None:
        logos.keep(session, g.tenant.id, content, g.actor, g.now, in_mails=in_mails)
        return str(_("Saved. Pages show it from now on."))
    logos.show_in_mails(session, g.tenant.id, in_mails, g.actor, g.now)
    return str(_("Saved."))


def _form(entered: Any, errors: dict[str, str], status: int = 200, *, logo_error: str = "") -> Response:
    with house().db.reading() as session:
        picture = logos.of(session, g.tenant.id)
        chosen = settings.onboarding(session, g.tenant.id)
        version, own = settings.version(session, g.tenant.id), settings.own_words(session, g.tenant.id)
    values: dict[str, Any] = chosen.model_dump(mode="json")
    if errors:
        values = {name: entered.get(name, False if isinstance(value, bool) else "") for name, value in values.items()}
        version = entered.get("version", version)
    return page(
        "settings/show.html", status=status, values=values, errors=errors, version=version, languages=LANGUAGES,
        templates=_templates(), own=own, logo=_picture(picture), logo_error=logo_error, may_save=g.role == Role.OWNER,
        serves=_address() if chosen.self_service else "",
    )  # fmt: skip


def _address() -> str:
    """Where people ask for a link themselves, as it may be printed on paper."""
    return f"{house().settings.public_url}{url_for('forgot.show', slug=g.tenant.slug)}"


def _picture(logo: Logo | None) -> dict[str, Any] | None:
    shown = seen(logo)
    if logo is None or shown is None:
        return None
    return {**shown, "kind": logo.kind.value, "full": (logo.width, logo.height), "in_mails": logo.in_mails}


def _letter(
    session: Any, template: MailTemplate, language: str, words: Words, errors: Any = None, status: int = 200
) -> Response:
    shown = mail.preview(session, house().stationery, g.tenant.id, template, language, g.now, words=words)
    return page(
        "settings/letter.html", block="draft", status=status, which=template.value, language=language, words=words,
        letter=shown, errors=errors or {}, languages=LANGUAGES, templates=_templates(),
        placeholders=[(f"{{{name}}}", word) for name, word in _placeholders(template)], longest=letters.LONGEST,
        own=(template, language) in settings.own_words(session, g.tenant.id), may_save=g.role == Role.OWNER,
    )  # fmt: skip


def _place(template: str, language: str) -> tuple[MailTemplate, str]:
    if template not in tuple(MailTemplate) or language not in LANGUAGES:
        raise NotFound("page_not_found")
    return MailTemplate(template), language


def _templates() -> list[tuple[str, str]]:
    return [
        (MailTemplate.ACTIVATION.value, _("Activation")),
        (MailTemplate.REMINDER.value, _("Reminder")),
        (MailTemplate.CONFIRMATION.value, _("Confirmation")),
        (MailTemplate.TEST.value, _("Test mail")),
        (MailTemplate.QUARANTINE.value, _("App stopped")),
        (MailTemplate.RECOVERED.value, _("App goes on")),
        (MailTemplate.SECRET.value, _("Secret expires")),
        (MailTemplate.SEATS.value, _("Seats lacking")),
    ]


def _placeholders(template: MailTemplate) -> list[tuple[str, str]]:
    words = {
        "name": _("the person’s name"),
        "organisation": _("your organisation’s name"),
        "address": _("the address to sign in with"),
        "link": _("the link; on a line of its own it becomes a button"),
        "until": _("when it ends, as day and time"),
        "time": _("when it happened"),
        "apps": _("the apps that take the password"),
        "app": _("the app’s name"),
        "page": _("the address of the page that helps"),
        "licence": _("what the licence is called"),
        "waiting": _("how many people wait"),
    }
    return [(name, str(words[name])) for name in letters.PLACEHOLDERS[template]]
