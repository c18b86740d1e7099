"""The ``provision`` command: parse, call one service, print. Exit 0 done, 1 refused or failed, 2 wrong usage."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from provision import __version__
from provision.cli import (
    apps,
    choosing,
    deciding,
    drifting,
    importing,
    licences,
    people,
    recycling,
    removing,
    running,
    scoping,
    settling,
    working,
    writing,
)
from provision.cli.shown import say, sentence
from provision.core.ports import OutsideError
from provision.house import House
from provision.services.errors import Invalid, ServiceError
from provision.vault import VaultError


@dataclass(frozen=True)
class Doors:
    """What the composition root lends to commands: how to open the house, and the long-running things."""

    open_house: Callable[..., House]
    serve: Callable[..., None]
    serve_sandbox: Callable[..., None]
    sandbox: Callable[[House, int], Any]


class _Commands(click.Group):
    """The group whose refusals are one line on standard error, never a stack trace."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Invalid as refused:
            lines = [f"{field}: {sentence(code, refused.params)}" for field, code in refused.problems.items()]
            _end("; ".join(lines))
        except (ServiceError, OutsideError) as refused:
            _end(sentence(refused.code, refused.params))
        except ValidationError as refused:
            _end("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ") for e in refused.errors()))
        except (VaultError, OSError) as refused:
            _end(str(refused))
        except OperationalError:
            _end("The database does not answer. If it is new, run: provision migrate")


def _end(line: str) -> None:
    say(line)
    sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="provision")
def provision() -> None:
    """Provision Microsoft 365: see what will change, change it once, know why, take it back."""


for command in (
    *running.COMMANDS,
    *choosing.COMMANDS,
    *apps.COMMANDS,
    *importing.COMMANDS,
    *people.COMMANDS,
    *writing.COMMANDS,
    *working.COMMANDS,
    *recycling.COMMANDS,
    *deciding.COMMANDS,
    *drifting.COMMANDS,
    *licences.COMMANDS,
    *scoping.COMMANDS,
    *removing.COMMANDS,
    *settling.COMMANDS,
):
    provision.add_command(command)
