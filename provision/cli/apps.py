"""Commands about tenants, operators and apps."""

import json
import secrets
import sys
from pathlib import Path

import click
from sqlmodel import Session

from provision.cli.common import ACTOR, app, house, json_option, pairs, tenant
from provision.cli.shown import dump, say, table
from provision.core.tables import Connector
from provision.core.vocabulary import Approval, Feature, Role, TokenScope
from provision.services import connectors, operators, tenants, tokens
from provision.services.errors import Invalid, ServiceError


@click.group("tenant")
def tenant_group() -> None:
    """Organisations."""


@tenant_group.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="What people read.")
@json_option
def tenant_add(slug: str, name: str, as_json: bool) -> None:
    """Add an organisation; SLUG stands in its addresses."""
    with house().db.writing() as session:
        added = tenants.add(session, slug, name, ACTOR, house().now())
    dump(added) if as_json else say(f"Added {added.name} as {added.slug}.")


@tenant_group.command("list")
@json_option
def tenant_list(as_json: bool) -> None:
    """List the organisations."""
    with house().db.reading() as session:
        rows = tenants.of_all(session)
    dump(rows) if as_json else table(("Slug", "Name", "Since"), [(r.slug, r.name, r.created_at) for r in rows])


@click.group("operator")
def operator_group() -> None:
    """People who sign in to the console."""


@operator_group.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--tenant", "slug", help="Only in this organisation; without it, in all.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; else print a one-time link."
)
@json_option
def operator_add(email: str, role: str, slug: str | None, password_stdin: bool, as_json: bool) -> None:
    """Let someone sign in. Without a password, a one-time link is printed with which they set it."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    tenant_id = tenant(slug).id if slug else None
    with house().db.writing() as session:
        operator = operators.add(session, email, Role(role), tenant_id, password, house().now())
        link = None if password else first_link(session, operator.id or 0)
    if as_json:
        dump({"id": operator.id, "email": operator.email, "role": role, "tenant": slug, "link": link})
    elif link:
        say(f"{operator.email} sets a password here within 30 minutes:")
        click.echo(link)
    else:
        say(f"{operator.email} may sign in as {role}.")


def first_link(session: Session, operator_id: int) -> str:
    """The one-time link with which an operator sets the first password."""
    token = operators.invite(session, operator_id, secrets.token_bytes(32), house().now())
    return f"{house().settings.public_url}/first/{token}"


@click.group("app")
def app_group() -> None:
    """Connections to outside systems."""


@app_group.command("add")
@click.argument("slug", metavar="TENANT")
@click.argument("kind")
@click.option("--name", required=True)
@click.option("--domain", help="Where the kind asks for one: a tenant or verified domain, like acme.com.")
@click.option("--cloud", help="global, usgov, dod, china, sandbox or custom.")
@click.option("--client-id", help="Your own app registration.")
@click.option("--secret-stdin", is_flag=True, help="Read its secret from standard input.")
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM with private key."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting of the kind.")
@json_option
def app_add(  # noqa: PLR0913, PLR0917 - one parameter per option
    slug: str,
    kind: str,
    name: str,
    domain: str | None,
    cloud: str | None,
    client_id: str | None,
    secret_stdin: bool,
    certificate: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Connect an outside system. Reads only: Create, Edit and Delete stay off, and so does Import until it is switched on."""
    given = {"domain": domain, "cloud": cloud, "client_id": client_id, **pairs(settings)}
    if certificate:
        given["credential"] = "certificate"
    config = {key: value for key, value in given.items() if value is not None}
    secret = _secret(secret_stdin, certificate)
    at_home, owner = house(), tenant(slug)
    if kind in at_home.kinds:
        config = connectors.judged(at_home.kinds[kind].config, config)
        connectors.locate(at_home.connect, owner.id or 0, kind, config)
    with at_home.db.writing() as session:
        row = connectors.add(
            session, at_home.vault, owner.id or 0, at_home.kinds, kind, name, config, secret, ACTOR, at_home.now()
        )
    if at_home.kinds[row.kind].takes_file and not row.config.get("watched"):
        _print(
            owner.id or 0,
            row.id or 0,
            as_json,
            f"Added {row.name}. Give it a file: provision import {slug} {json.dumps(row.name)} --file FILE",
        )
        return
    try:
        connectors.check(at_home.db.writing, at_home.connect, owner.id or 0, row.id or 0, ACTOR, at_home.now)
    except ServiceError as refused:
        if refused.code not in connectors.NOT_YET:
            with at_home.db.writing() as session:
                connectors.withdraw(session, owner.id or 0, row.id or 0, ACTOR, at_home.now())
            raise
        say(
            "Nobody has granted consent yet, or Microsoft has not passed it on. Sign in and grant it on the app's page,"
        )
        say(f"or try again in a minute: provision app check {slug} {json.dumps(row.name)}")
        _print(owner.id or 0, row.id or 0, as_json, f"Added {row.name}, not connected yet.")
        return
    _print(owner.id or 0, row.id or 0, as_json, f"Added {row.name}, connected.")


@app_group.command("edit")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--name", "called", help="What it is called from now on.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the kind.")
@click.option("--secret-stdin", is_flag=True, help="Read a new secret from standard input.")
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM with private key."
)
@click.option("--forget-secret", is_flag=True, help="Forget the app's own secret.")
@json_option
def app_edit(
    slug: str,
    name: str,
    called: str | None,
    settings: tuple[str, ...],
    secret_stdin: bool,
    certificate: Path | None,
    forget_secret: bool,
    as_json: bool,
) -> None:
    """Rename an app, connect it otherwise, or renew its secret. What does not work there is not kept.

    An address on another server needs the secret again, in the same step: nothing shows it the one you entered before.
    """
    given, renewed = pairs(settings), secret_stdin or certificate is not None
    if forget_secret == bool(given or called or renewed):
        raise click.UsageError("Give a name, settings or a new secret, or --forget-secret by itself.")
    at_home, (owner, row) = house(), app(slug, name)
    at = (owner.id or 0, row.id or 0)
    kind = at_home.kinds[row.kind]
    if renewed and not (kind.secret or kind.consents):
        raise Invalid({"secret": "secret_not_asked"}, kind=kind.label)
    secret, ways = _secret(secret_stdin, certificate), (at_home.db.writing, at_home.connect, at_home.vault)
    if secret is not None and not (given or called):
        row = connectors.renew_secret(*ways, *at, secret, ACTOR, at_home.now)
    elif forget_secret:
        with at_home.db.writing() as session:
            row = connectors.remove_secret(session, *at, ACTOR, at_home.now())
    else:
        name, config = row.name if called is None else called, {**row.config, **given}
        row = connectors.change(
            *ways, *at, at_home.kinds, name=name, config=config, secret=secret, actor=ACTOR, now=at_home.now
        )
    _print(*at, as_json, f"{row.name}: kept.")


@app_group.command("list")
@click.argument("slug", metavar="TENANT")
@json_option
def app_list(slug: str, as_json: bool) -> None:
    """List the apps of an organisation."""
    owner = tenant(slug)
    with house().db.reading() as session:
        rows = connectors.of(session, owner.id or 0)
    if as_json:
        dump(rows)
        return
    table(
        ("Id", "Name", "Kind", "State", "Connected", "Switched on"),
        [(r.id, r.name, r.kind, r.state, "yes" if connectors.connected(r) else "no", _on(r)) for r in rows],
    )


@app_group.command("check")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@json_option
def app_check(slug: str, name: str, as_json: bool) -> None:
    """Look at the outside system with fresh credentials: permissions, domains, seats, directory sync."""
    owner, row = app(slug, name)
    found = connectors.check(house().db.writing, house().connect, owner.id or 0, row.id or 0, ACTOR, house().now)
    if as_json:
        permissions = [
            {"name": p.name, "state": p.state, "why": p.why, "without": p.without} for p in found.permissions
        ]
        dump({"outside_id": found.outside_id, "name": found.name, "facts": found.facts, "permissions": permissions})
        return
    say(f"{found.name}, {found.outside_id}")
    table(
        ("Permission", "State", "What for", "Without it"),
        [(p.name, p.state, p.why, p.without) for p in found.permissions],
    )


@app_group.command("consent-url")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@json_option
def app_consent_url(slug: str, name: str, as_json: bool) -> None:
    """Print where an operator grants consent: our own page, since the way back is bound to who is signed in."""
    _, row = app(slug, name)
    url = f"{house().settings.public_url}/t/{slug}/apps/{row.id}"
    dump({"url": url}) if as_json else click.echo(url)


@app_group.command("pause")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@json_option
def app_pause(slug: str, name: str, as_json: bool) -> None:
    """Stop everything an app does."""
    owner, row = app(slug, name)
    with house().db.writing() as session:
        connectors.pause(session, owner.id or 0, row.id or 0, ACTOR, house().now())
    _print(owner.id or 0, row.id or 0, as_json, f"{row.name} is paused.")


@app_group.command("resume")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@json_option
def app_resume(slug: str, name: str, as_json: bool) -> None:
    """Let a paused or quarantined app go on."""
    owner, row = app(slug, name)
    with house().db.writing() as session:
        connectors.resume(session, owner.id or 0, row.id or 0, ACTOR, house().now())
    _print(owner.id or 0, row.id or 0, as_json, f"{row.name} goes on.")


@app_group.command("features")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--import/--no-import", "import_", default=None, help="Import User.")
@click.option("--create/--no-create", default=None, help="Create User.")
@click.option("--edit/--no-edit", default=None, help="Edit User.")
@click.option("--delete/--no-delete", default=None, help="Delete User.")
@click.option("--approval", type=click.Choice([approval.value for approval in Approval]))
@json_option
def app_features(
    slug: str,
    name: str,
    import_: bool | None,
    create: bool | None,
    edit: bool | None,
    delete: bool | None,
    approval: str | None,
    as_json: bool,
) -> None:
    """Switch what an app may do. Looks at the outside system first; a switch is refused only when that fails."""
    at_home, (owner, row) = house(), app(slug, name)
    asked = {Feature.IMPORT: import_, Feature.CREATE: create, Feature.EDIT: edit, Feature.DELETE: delete}
    switches = {feature.value: on for feature, on in asked.items() if on is not None}
    if any(on and feature not in at_home.kinds[row.kind].features for feature, on in asked.items()):
        raise ServiceError("app_only_read", app=row.name)
    if any(switches.values()):
        connectors.check(at_home.db.writing, at_home.connect, owner.id or 0, row.id or 0, ACTOR, at_home.now)
    with at_home.db.writing() as session:
        row = connectors.features(session, owner.id or 0, row.id or 0, switches, approval, ACTOR, at_home.now())
    _print(owner.id or 0, row.id or 0, as_json, f"{row.name}: {_on(row) or 'nothing'} on, {row.approval}.")


@app_group.command("token")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--scope", type=click.Choice([scope.value for scope in TokenScope]), default=TokenScope.WRITE.value)
@click.option("--days", type=int, default=180, show_default=True, help="How long it lives; a year at most.")
@click.option("--list", "listing", is_flag=True, help="List the tokens there are.")
@click.option("--revoke", type=int, metavar="ID", help="Let nobody in with this one any more.")
@json_option
def app_token(slug: str, name: str, scope: str, days: int, listing: bool, revoke: int | None, as_json: bool) -> None:
    """Make a token for a client that pushes to us, and print it once; two may be valid at a time."""
    at_home, (owner, row) = house(), app(slug, name)
    at = (owner.id or 0, row.id or 0)
    if listing:
        _print_tokens(*at, as_json)
        return
    with at_home.db.writing() as session:
        if revoke is not None:
            kept, text = tokens.revoke(session, *at, revoke, ACTOR, at_home.now()), ""
        else:
            given = {"scope": TokenScope(scope), "days": days, "actor": ACTOR, "now": at_home.now()}
            kept, text = tokens.issue(session, *at, **given, token_bytes=secrets.token_bytes)  # type: ignore[arg-type]
    address = f"{at_home.settings.public_url}/scim/v2"
    if as_json:
        dump(
            {
                "id": kept.id,
                "token": text or None,
                "base_url": address,
                "scope": kept.scope,
                "expires_at": kept.expires_at,
            }
        )
    elif text:
        say(f"{row.name}: base URL {address}, valid until {kept.expires_at:%Y-%m-%d}. It is shown once:")
        click.echo(text)
    else:
        say(f"The token {kept.hint}… is revoked.")


def _print_tokens(tenant_id: int, connector_id: int, as_json: bool) -> None:
    with house().db.reading() as session:
        rows = tokens.of(session, tenant_id, connector_id)
    told = [
        {"id": one.id, "hint": one.hint, "scope": one.scope, "state": tokens.state(one, house().now()),
         "created_by": one.created_by, "created_at": one.created_at, "expires_at": one.expires_at, "used_at": one.used_at}
        for one in rows
    ]  # fmt: skip
    dump(told) if as_json else table(
        ("Id", "Begins", "Scope", "State", "Until", "Last used"),
        [tuple(one[name] for name in ("id", "hint", "scope", "state", "expires_at", "used_at")) for one in told],
    )


def _secret(from_stdin: bool, certificate: Path | None) -> bytes | None:
    if from_stdin and certificate:
        raise click.UsageError("--secret-stdin and --certificate exclude each other")
    if certificate:
        return house().read_certificate(certificate.read_bytes(), now=house().now())
    return house().read_secret(sys.stdin.readline()) if from_stdin else None


def _print(tenant_id: int, connector_id: int, as_json: bool, line: str) -> None:
    if not as_json:
        say(line)
        return
    with house().db.reading() as session:
        dump(connectors.get(session, tenant_id, connector_id))


def _on(row: Connector) -> str:
    return ", ".join(name for name, on in row.features.items() if on)


COMMANDS = (tenant_group, operator_group, app_group)
__all__ = ["COMMANDS", "first_link"]
