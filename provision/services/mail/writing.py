"""A row becomes a letter at the moment it leaves: the tenant's words, the person as they are now, the link derived again.

Owns which value fills which placeholder; keeps nothing of what it made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_datetime
from babel.lists import format_list
from sqlmodel import Session

from provision.core import letters
from provision.core.letters import SAMPLES, Letter, Seal, Words
from provision.core.onboarding import OnboardingSettings
from provision.core.post import Envelope, NotSent, Trouble, judge_address
from provision.core.tables import Activation, Mail, Tenant, User
from provision.core.vocabulary import Lifecycle, MailTemplate, Offer
from provision.services import links, logos, reaching, settings
from provision.services.errors import NotFound
from provision.services.users.finding import shown
from provision.vault import Vault, VaultError


@dataclass(frozen=True)
class Stationery:
    """What a letter needs from the installation: the keys that links are derived with, its address, the letters' look,
    and what it knows of each kind of app."""

    vault: Vault
    public_url: str
    css: str
    kinds: Mapping[Any, Any]


@dataclass
class Desk:
    """One sweep's memory of tenants, so that each is read once. ``session`` reads only."""

    session: Session
    stationery: Stationery
    now: datetime
    _tenants: dict[int, tuple[str, OnboardingSettings]] = field(default_factory=dict)
    _words: dict[tuple[int, MailTemplate, str], Words] = field(default_factory=dict)
    _seals: dict[int, Seal | None] = field(default_factory=dict)

    def tenant(self, tenant_id: int) -> tuple[str, OnboardingSettings]:
        """The name people read, and what the tenant chose."""
        if tenant_id not in self._tenants:
            chosen = settings.onboarding(self.session, tenant_id)
            row = self.session.get(Tenant, tenant_id)
            self._tenants[tenant_id] = chosen.organisation or (row.name if row else ""), chosen
        return self._tenants[tenant_id]

    def seal(self, tenant_id: int) -> Seal | None:
        """The logo that the tenant's letters carry."""
        if tenant_id not in self._seals:
            logo = logos.of(self.session, tenant_id)
            content = logos.content(self.session, tenant_id) if logo and logo.in_mails else None
            self._seals[tenant_id] = Seal(logo, content, f"/logo/{logo.digest}") if logo and content else None
        return self._seals[tenant_id]

    def apps(self, tenant_id: int, offer: Offer, user_id: int | None = None) -> Sequence[str]:
        """What the apps are called that take what is offered: from this person now, else those that the tenant has."""
        at, kinds = (self.session, tenant_id), self.stationery.kinds
        person = self.session.get(User, user_id) if user_id else None
        there: Sequence[Any] = ()
        if person is not None:
            _, there = reaching.places(*at, person.id or 0, kinds, offer, Lifecycle(person.lifecycle))
        theirs = [place.connector for place in there]
        return reaching.called(theirs or [one.row for one in reaching.taking(*at, kinds, offer)], kinds)

    def words(self, tenant_id: int, template: MailTemplate, language: str) -> Words:
        """What the letter says there."""
        place = (tenant_id, template, language)
        if place not in self._words:
            self._words[place] = settings.words(self.session, *place)
        return self._words[place]


def write(desk: Desk, mail: Mail) -> tuple[Envelope, Letter]:
    """The mail as it leaves now. Raises NotFound when its link is over, NotSent when it can go to nobody."""
    organisation, chosen = desk.tenant(mail.tenant_id)
    address = judge_address(mail.address)
    if address is None:
        raise NotSent("mail_address_unfit", Trouble.REFUSED)
    around = letters.frame(mail.template, mail.language)
    pattern = around["moment"]
    values = {"organisation": organisation, **_of_params(mail, pattern)}
    values |= {**_of_person(desk, mail), **_of_link(desk, mail, pattern), "apps": _of_apps(desk, mail, organisation)}
    letter = letters.compose(
        desk.words(mail.tenant_id, mail.template, mail.language),
        values,
        around,
        css=desk.stationery.css,
        language=mail.language,
        organisation=organisation,
        seal=desk.seal(mail.tenant_id),
    )
    envelope = Envelope(
        message_id=mail.message_id,
        recipient=address,
        sender_name=chosen.sender or organisation,
        reply_to=judge_address(chosen.reply_to) or "",
        language=mail.language,
        at=mail.created_at,
    )
    return envelope, letter


def preview(
    session: Session,
    stationery: Stationery,
    tenant_id: int,
    template: MailTemplate,
    language: str,
    now: datetime,
    *,
    words: Words | None = None,
    person: User | None = None,
) -> Letter:
    """How a letter would look: with somebody's values if given, never with a link that works."""
    desk = Desk(session, stationery, now)
    organisation, chosen = desk.tenant(tenant_id)
    around = letters.frame(template, language)
    moment = _moment(now + timedelta(hours=chosen.link_hours), around["moment"], language)
    values: dict[str, str] = {**SAMPLES, "organisation": organisation, "until": moment}
    values |= {"time": _moment(now, around["moment"], language), "link": f"{stationery.public_url}{links.PATH}…"}
    takers = desk.apps(tenant_id, reaching.offered(chosen), person.id if person else None)
    if takers:
        values["apps"] = _listed(takers, language)
    if person is not None:
        values |= {"name": shown(person.model_dump()), "address": person.email or ""}
    words = words or desk.words(tenant_id, template, language)
    return letters.compose(
        words,
        values,
        around,
        css=stationery.css,
        language=language,
        organisation=organisation,
        seal=desk.seal(tenant_id),
    )


def _of_person(desk: Desk, mail: Mail) -> Mapping[str, str]:
    person = desk.session.get(User, mail.user_id) if mail.user_id else None
    return {"name": shown(person.model_dump()), "address": person.email or ""} if person else {}


def _of_apps(desk: Desk, mail: Mail, otherwise: str) -> str:
    """Which apps the letter is about: what its row says, else what its link opens now."""
    names = mail.params.get("apps") or ()
    if not names and mail.user_id is not None:
        row = desk.session.get(Activation, mail.activation_id) if mail.activation_id else None
        names = desk.apps(mail.tenant_id, Offer(row.offer) if row else Offer.PASSWORD, mail.user_id)
    return _listed(names, mail.language) or otherwise


def _listed(names: Sequence[str], language: str) -> str:
    return str(format_list(list(names), locale=language))


def _of_link(desk: Desk, mail: Mail, pattern: str) -> Mapping[str, str]:
    """The link, and until when it works: its hours count from the first mail that was taken."""
    if mail.activation_id is None:
        return {}
    row = desk.session.get(Activation, mail.activation_id)
    if row is None or (row.sent_at is not None and row.expires_at <= desk.now):
        raise NotFound("activation_over")
    until = row.expires_at if row.sent_at else desk.now + timedelta(hours=row.hours)
    try:
        address = links.link(desk.session, desk.stationery.vault, desk.stationery.public_url, mail.activation_id)
    except VaultError as error:
        raise NotSent("activation_key_gone", Trouble.REFUSED) from error
    return {"link": address, "until": _moment(until, pattern, mail.language)}


def _of_params(mail: Mail, pattern: str) -> Mapping[str, str]:
    """Times travel as ISO 8601 in ``params`` and become words in the letter's language."""
    told: dict[str, Any] = {"time": mail.created_at.isoformat(), **mail.params}
    return {
        name: _moment(datetime.fromisoformat(value), pattern, mail.language)
        if name in ("time", "until")
        else str(value)
        for name, value in told.items()
        if isinstance(value, str)
    }


def _moment(at: datetime, pattern: str, language: str) -> str:
    return str(format_datetime(at, pattern, locale=language))
