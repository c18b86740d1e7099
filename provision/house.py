"""What the edges are handed: the settings, the database, the keys and the ways out, put together by the factory.

Owns nothing and decides nothing; it exists so that pages, commands and timers need not know who built what.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provision.config import Settings
from provision.core.ports import Source
from provision.core.post import Mailer
from provision.core.tables import Connector
from provision.db import Database
from provision.services import mail, scim
from provision.services.cycles import Ways
from provision.vault import Vault

LEADER = "worker"
"""The one lock: whoever holds it runs cycles. ``provision import`` takes it too, or waits for who has it."""


@dataclass(frozen=True)
class House:
    """One running installation.

    ``connect`` turns a connector row into its port. ``read_secret`` and ``read_certificate`` judge what a person pastes and
    return what is to be sealed; they raise Refused. ``sandbox`` opens the stand-in cloud, which few installations use.
    ``mailer`` is where mails go; ``letter_css`` is how they look.
    """

    settings: Settings
    db: Database
    vault: Vault
    now: Callable[[], datetime]
    kinds: Mapping[Any, Any]
    connect: Callable[[Connector], Source]
    read_secret: Callable[[str], bytes]
    read_certificate: Callable[..., bytes]
    sandbox: Callable[[], Any]
    mailer: Mailer
    letter_css: str

    @property
    def stationery(self) -> mail.Stationery:
        """What a letter is written on: the keys its link is derived with, this installation's address, look and kinds."""
        return mail.Stationery(self.vault, self.settings.public_url, self.letter_css, self.kinds)

    def post(self, *, cut: Callable[[], bool] = lambda: False) -> mail.Post:
        """How mails leave from here."""
        return mail.Post(
            reading=self.db.reading,
            writing=self.db.writing,
            mailer=self.mailer,
            stationery=self.stationery,
            now=self.now,
            chance=random.random,
            cut=cut,
        )

    def ways(self, *, cut: Callable[[], bool] = lambda: False) -> Ways:
        """How a cycle reaches the world from here; ``cut`` ends it between two commits, to be gone on with later."""
        return Ways(
            reading=self.db.reading,
            writing=self.db.writing,
            connect=self.connect,
            kinds=self.kinds,
            now=self.now,
            sleep=time.sleep,
            chance=random.random,
            cut=cut,
            admit=scim.admit,
        )
