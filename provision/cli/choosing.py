"""Commands about what a tenant chose for onboarding: its settings and its logo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from provision.cli.activating import activation_group
from provision.cli.common import ACTOR, house, json_option, pairs, tenant
from provision.cli.shown import dump, say, table
from provision.core.logos import LARGEST, Logo
from provision.core.onboarding import OnboardingSettings, judge
from provision.services import logos, mail, settings
from provision.services.errors import Invalid


@activation_group.command("settings")
@click.argument("slug", metavar="TENANT")
@click.option("--set", "wanted", multiple=True, metavar="NAME=VALUE", help="Choose this; may be given several times.")
@json_option
def onboarding(slug: str, wanted: tuple[str, ...], as_json: bool) -> None:
    """What a tenant chose for onboarding; with --set, choose otherwise. All of it is kept, or nothing."""
    at_home, owner, given = house(), tenant(slug), pairs(wanted)
    known = OnboardingSettings.model_fields
    if strange := [name for name in given if name not in known]:
        raise Invalid(dict.fromkeys(strange, "setting_unknown"), names=", ".join(known))
    with at_home.db.writing() as session:
        chosen = settings.onboarding(session, owner.id or 0)
        if given:
            chosen = _judged({**chosen.model_dump(), **given})
            settings.save_onboarding(session, owner.id or 0, chosen, ACTOR, at_home.now())
            mail.look_anew(session, owner.id or 0, at_home.now())
    told = chosen.model_dump(mode="json")
    if as_json:
        dump(told)
    else:
        table(("Setting", "Value"), list(told.items()))


@activation_group.command("logo")
@click.argument("slug", metavar="TENANT")
@click.option("--file", "picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Take this one.")
@click.option("--remove", is_flag=True, help="Show the name alone again.")
@click.option("--in-mails/--not-in-mails", default=None, help="Whether mails carry it; they do unless said otherwise.")
@json_option
def logo(slug: str, picture: Path | None, remove: bool, in_mails: bool | None, as_json: bool) -> None:
    """The logo above pages and mails: what it is, another one, or none."""
    if remove and (picture or in_mails is not None):
        raise click.UsageError("--remove stands alone")
    at_home, owner, now = house(), tenant(slug), house().now()
    with at_home.db.writing() as session:
        number = owner.id or 0
        if remove:
            logos.remove(session, number, ACTOR, now)
        elif picture:
            logos.keep(session, number, _read(picture), ACTOR, now, in_mails=in_mails is not False)
        elif in_mails is not None:
            logos.show_in_mails(session, number, in_mails, ACTOR, now)
        found = logos.of(session, number)
    if as_json:
        dump(_shown(found) if found else None)
    elif found is None:
        say("There is no logo.")
    else:
        table(("Kind", "Width", "Height", "In mails", "Digest"), [list(_shown(found).values())])


def _judged(values: Mapping[str, Any]) -> OnboardingSettings:
    """All of it, or Invalid with the first thing that cannot be: each has blanks of its own."""
    chosen, problems = judge(values)
    if chosen is None:
        name, (code, blanks) = next(iter(problems.items()))
        raise Invalid({name: code}, **blanks)
    return chosen


def _read(picture: Path) -> bytes:
    with picture.open("rb") as file:
        return file.read(LARGEST + 1)


def _shown(logo: Logo) -> Mapping[str, Any]:
    size = {"kind": logo.kind.value, "width": logo.width, "height": logo.height}
    return {**size, "in_mails": logo.in_mails, "digest": logo.digest}


COMMANDS = (activation_group,)
