"""Commands that keep the product running: demo, serve, migrate, doctor, and the stand-in cloud."""

import errno
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from provision.cli.common import ACTOR, house, json_option
from provision.cli.shown import dump, say, sentence, table
from provision.core.tables import Operator
from provision.core.vocabulary import Role
from provision.services import connectors, events, operators, tenants
from provision.services.errors import ServiceError

DEMO_SLUG = "fjordvik"
DEMO_OWNER = "owner@fjordvik.example"
DEMO_APP = "Office 365 / Azure AD"


@click.command()
@click.option(
    "--users", default=120, show_default=True, type=click.IntRange(10, 1_000_000), help="People in the tenant."
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def demo(users: int, port: int) -> None:
    """Serve with a sandbox tenant, nothing to install and nothing real touched; print where and how to sign in."""
    _must_be_free(port)
    doors = click.get_current_context().obj
    at_home = doors.open_house(serving=True, public_url=f"http://127.0.0.1:{port}")
    at_home.db.migrate()
    sandbox = doors.sandbox(at_home, users)
    _prepare(at_home, sandbox.credentials()["domain"])
    link = _way_in(at_home)
    say("")
    say("  provision is starting with the sandbox tenant Fjordvik: everybody in it is invented.")
    say("")
    click.echo(f"  Open     {at_home.settings.public_url}")
    click.echo(f"  Sign in  {link}")
    click.echo("  Then     Apps → Office 365 / Azure AD → Grant Administrator Consent")
    say("  Stop     Ctrl+C")
    say("")
    doors.serve(at_home, host="127.0.0.1", port=port, threads=8)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
def serve(host: str, port: int, threads: int) -> None:
    """Serve the product: pages, timers and the leader, in one process. Brings the schema up to date first."""
    doors = click.get_current_context().obj
    at_home = house(serving=True)
    at_home.db.migrate()
    say(f"provision serves {at_home.settings.public_url} on {host}:{port}")
    doors.serve(at_home, host=host, port=port, threads=threads)


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date. A step that is cut short leaves the schema as it was."""
    house().db.migrate()
    say("The schema is up to date.")


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look over the installation: settings, database, keys, space, the log's chain, and every app."""
    found = list(_examine(house()))
    if as_json:
        dump([{"check": check, "state": state, "message": message} for check, state, message in found])
    else:
        table(("Check", "State", "What"), found)
    if any(state == "bad" for _, state, _ in found):
        sys.exit(1)


@click.group("sandbox")
def sandbox_group() -> None:
    """The stand-in Microsoft cloud."""


@sandbox_group.command("serve")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--tls-dir", default="data/sandbox-tls", show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--users", default=120, show_default=True, type=click.IntRange(10, 1_000_000))
@click.option(
    "--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON: what goes wrong, when."
)
@click.option("--directory", type=click.Path(dir_okay=False, path_type=Path), help="The file its people live in.")
def sandbox_serve(port: int, tls_dir: Path, users: int, faults: Path | None, directory: Path | None) -> None:
    """Serve login and Graph over TLS with a throw-away authority; credentials at /.well-known/sandbox.json."""
    doors = click.get_current_context().obj
    tls_dir.mkdir(parents=True, exist_ok=True)

    def ready(url: str, credentials: dict[str, Any]) -> None:
        say(f"The sandbox serves {url}; its authority is {tls_dir / 'ca.pem'}; {credentials['domain']} is its domain.")

    try:
        doors.serve_sandbox(
            directory or tls_dir / "sandbox.db",
            tls_dir=tls_dir,
            port=port,
            users=users,
            faults_file=faults,
            ready=ready,
        )
    except ValueError as refused:
        say(str(refused))
        sys.exit(1)


def _must_be_free(port: int) -> None:
    """Refuse before anything is printed or done: a link to a port that another program answers leads nowhere.

    ``serve`` does not ask: started again after a kill, it waits until the port is let go.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself binds
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServiceError("port_taken", port=port) from None


def _prepare(at_home: Any, domain: str) -> None:
    """The demo's tenant and its app, still to be granted consent; what is there already stays as it is."""
    now = at_home.now()
    with at_home.db.writing() as session:
        if any(row.slug == DEMO_SLUG for row in tenants.of_all(session)):
            return
        tenant = tenants.add(session, DEMO_SLUG, "Fjordvik", ACTOR, now)
        config = {"domain": domain, "cloud": "sandbox"}
        connectors.add(
            session, at_home.vault, tenant.id or 0, at_home.kinds, "microsoft365", DEMO_APP, config, None, ACTOR, now
        )
        operators.add(session, DEMO_OWNER, Role.OWNER, None, None, now)


def _way_in(at_home: Any) -> str:
    """A one-time link while the demo's owner has no password yet; afterwards the name to sign in with."""
    with at_home.db.writing() as session:
        owner: Operator | None = operators.by_email(session, DEMO_OWNER)
        if owner is None:
            return "as an owner of this installation"
        if owner.password_hash:
            return f"as {DEMO_OWNER}, with the password you set"
        token = operators.invite(session, owner.id or 0, secrets.token_bytes(32), at_home.now())
    return f"{at_home.settings.public_url}/first/{token}   (once, within 30 minutes)"


def _examine(at_home: Any) -> Iterator[tuple[str, str, str]]:
    settings = at_home.settings
    yield "public url", "good", settings.public_url
    folder = settings.data_dir.resolve()
    open_to_others = settings.data_dir.stat().st_mode & 0o007
    told = (
        f"{folder} can be read by everybody on this machine; run: chmod 700 {folder}" if open_to_others else str(folder)
    )
    yield "data directory", "warn" if open_to_others else "good", told
    free = shutil.disk_usage(settings.data_dir).free // 2**20
    yield "disk", "bad" if free < 500 else "good", f"{free} MiB free"
    current, newest = at_home.db.revisions()
    behind = current != newest
    yield "schema", "bad" if behind else "good", f"{current or 'none'} of {newest}{'; run: provision migrate' * behind}"
    if behind:
        return
    yield "keys", "good", f"{at_home.vault.number} in the ring, the newest seals"
    with at_home.db.reading() as session:
        everyone = tenants.of_all(session)
        chains = [(tenant, events.verify(session, tenant.id or 0)) for tenant in everyone]
        apps = [(tenant, row) for tenant in everyone for row in connectors.of(session, tenant.id or 0)]
    for tenant, broken in chains:
        told = "every entry fits" if broken is None else f"entry {broken} does not fit: the log was changed"
        yield f"log of {tenant.slug}", "good" if broken is None else "bad", told
    for tenant, row in apps:
        yield _look(at_home, tenant.slug, row)


def _look(at_home: Any, slug: str, row: Any) -> tuple[str, str, str]:
    name = f"app {slug}/{row.name}"
    if not connectors.connected(row):
        return name, "warn", "not connected yet"
    try:
        found = connectors.check(at_home.db.writing, at_home.connect, row.tenant_id, row.id, ACTOR, at_home.now)
    except ServiceError as refused:
        return name, "bad", sentence(refused.code, refused.params)
    missing = [permission.name for permission in found.permissions if permission.state == "missing"]
    return (
        name,
        "warn" if missing else "good",
        f"{found.name}; missing: {', '.join(missing)}" if missing else found.name,
    )


COMMANDS = (demo, serve, migrate, doctor, sandbox_group)
