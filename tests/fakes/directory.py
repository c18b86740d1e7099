"""A small directory behind the Source port: people, what happened to them, and what goes wrong on the way to telling.

Owns a truth and a memory of changes; never forgets a change by itself, so whoever reads it rightly ends with the truth.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from provision.core.ports import Appearance, Attribute, Check, Page, Seen, WatermarkLost


class Directory:
    """People by anchor, told in pages of ``page_size``.

    ``trouble``: number of the page, counted over all walks from 0 → what is done before it is told, once each: an
    exception is raised, a callable called. ``shuffle`` may reorder or repeat the pages of a walk when it begins.
    """

    def __init__(self, page_size: int = 4) -> None:
        self.page_size = page_size
        self.people: dict[str, dict[str, Any]] = {}
        self.trouble: dict[int, list[Exception | Callable[[], object]]] = defaultdict(list)
        self.shuffle: Callable[[list[list[Seen]]], list[list[Seen]]] = lambda pages: pages
        self.asked: list[tuple[str | None, str | None, tuple[str, ...]]] = []
        self.told = 0
        self._log: list[tuple[str, Any]] = []
        self._walks: list[tuple[list[list[Seen]], int]] = []
        self._forgotten = 0

    # -- What happens there ----------------------------------------------------------------------------------------------

    def add(self, anchor: str, **values: Any) -> str:
        """Somebody new; whatever is not given follows from the anchor."""
        name = values.get("userPrincipalName") or f"{anchor}@there.example"
        given = {
            "givenName": anchor.title(),
            "surname": "There",
            "displayName": f"{anchor.title()} There",
            "mailNickname": anchor,
            "userPrincipalName": name,
            "employeeId": None,
            "accountEnabled": True,
        }
        self.people[anchor] = {**given, **values}
        self._log.append((anchor, None))
        return anchor

    def add_many(self, number: int, prefix: str = "person") -> list[str]:
        return [self.add(f"{prefix}{index:03}") for index in range(number)]

    def edit(self, anchor: str, **values: Any) -> None:
        self.people[anchor] = {**self.people[anchor], **values}
        self._log.append((anchor, None))

    def remove(self, *anchors: str, how: str = "restorable") -> None:
        for anchor in anchors:
            del self.people[anchor]
            self._log.append((anchor, how))

    def lose(self, *anchors: str) -> None:
        """They are there no more, and nobody is told."""
        for anchor in anchors:
            del self.people[anchor]

    def forget(self) -> None:
        """Every watermark and position handed out so far is unknown from now on."""
        self._forgotten = len(self._walks)

    def told_up_to(self, watermark: str) -> tuple[set[str], set[str]]:
        """Whose changes a walk that ended with this watermark has told, and whose came later."""
        since = int(watermark.split(":")[1])
        return {anchor for anchor, _ in self._log[:since]}, {anchor for anchor, _ in self._log[since:]}

    # -- The port --------------------------------------------------------------------------------------------------------

    def check(self) -> Check:
        return Check("somewhere", "Somewhere", {"people": len(self.people)})

    def schema(self) -> Sequence[Attribute]:
        return [Attribute(name) for name in ("givenName", "surname", "userPrincipalName")]

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        enabled = values.get("accountEnabled")
        standing = {"guest": True} if values.get("userType") == "Guest" else {}
        return Appearance(values.get("userPrincipalName") or "", enabled, standing)

    def changes(
        self, attributes: Sequence[str], *, watermark: str | None = None, position: str | None = None
    ) -> Iterator[Page]:
        self.asked.append((watermark, position, tuple(attributes)))
        if position is not None:
            number, page = map(int, position.split("."))
        else:
            number, page = self._begin(watermark), 0
        if number < self._forgotten and (position or watermark):
            raise WatermarkLost
        pages, upto = self._walks[number]
        for index in range(page, len(pages)):
            self._misfortune()
            last = index + 1 == len(pages)
            yield Page(
                pages[index],
                position=None if last else f"{number}.{index + 1}",
                watermark=f"{number}:{upto}" if last else None,
            )

    def _begin(self, watermark: str | None) -> int:
        if watermark is None:
            seen = [Seen(anchor, dict(values)) for anchor, values in self.people.items()]
        else:
            number, since = map(int, watermark.split(":"))
            if number < self._forgotten:
                raise WatermarkLost
            seen = [self._told(anchor, how) for anchor, how in dict(self._log[since:]).items()]
        pages = [seen[start : start + self.page_size] for start in range(0, len(seen), self.page_size)] or [[]]
        self._walks.append((self.shuffle(pages), len(self._log)))
        return len(self._walks) - 1

    def _told(self, anchor: str, how: Any) -> Seen:
        return Seen(anchor, dict(self.people[anchor])) if anchor in self.people else Seen(anchor, {}, how)

    def _misfortune(self) -> None:
        page, self.told = self.told, self.told + 1
        waiting = self.trouble[page]
        if not waiting:
            return
        what = waiting.pop(0)
        if isinstance(what, Exception):
            self.told = page  # the page itself is still to be told
            raise what
        what()
