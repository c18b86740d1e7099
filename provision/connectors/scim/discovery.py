"""What an application says about itself: its abilities, where its people are, and their schema.

Owns asking and believing as little as is safe: whatever cannot be read is taken as the standard's core, and said so.
The questions are asked by scim2-client, which knows the standard's shapes; its calls travel over our own wire.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim2_client import BaseSyncSCIMClient, SCIMClientException
from scim2_models import ResourceType, Schema, SCIMException, ScimObject, ServiceProviderConfig

from provision.connectors.http import Answer
from provision.connectors.scim import schema
from provision.connectors.scim.peer import Peer
from provision.core.ports import Missing, Permission, Refused, Unreachable

MOST_RESULTS = 200
DEFAULT_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an application can do, as far as it says so. ``told``: it said so itself."""

    patch: bool = True
    filter: bool = True
    etag: bool = False
    sort: bool = False
    bulk: bool = False
    password: bool = False
    groups: bool = True
    results: int = DEFAULT_RESULTS
    told: bool = False


class _Asking(BaseSyncSCIMClient):
    """scim2-client over our own wire, with its limits, its rules about addresses and its log."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer
        self.answer: Answer | None = None

    def request(self, method: str, url: str, **_: Any) -> Any:
        assert method == "GET"  # noqa: S101 - discovery reads
        path = url if url.startswith("/") else f"/{url}"
        self.answer = self._peer.get(path)
        return _Reply(self.answer)


class _Reply:
    """An answer as scim2-client reads it."""

    def __init__(self, answer: Answer) -> None:
        self.status_code, self.headers = answer.status, answer.headers
        self._answer = answer
        answer.json()  # what is no JSON is unexpected for us, not for the library

    @property
    def text(self) -> str:
        return self._answer.body.decode("utf-8", "replace")


def abilities(peer: Peer) -> Abilities:
    """What it can do; the standard's core where it does not say. Raises Unreachable, Unauthorised, Throttled."""
    if peer.config.discovery == "raw":
        return Abilities()
    told = _asked(peer, lambda asking: asking.query(ServiceProviderConfig), _one)
    if told is None:
        return Abilities()
    most = told.get("filter", {}).get("maxResults") if isinstance(told.get("filter"), Mapping) else None
    results = most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else DEFAULT_RESULTS
    return Abilities(
        patch=_supports(told, "patch"),
        filter=_supports(told, "filter"),
        etag=_supports(told, "etag"),
        sort=_supports(told, "sort"),
        bulk=_supports(told, "bulk"),
        password=_supports(told, "changePassword"),
        results=min(results, MOST_RESULTS),
        told=True,
    )


def kinds(peer: Peer) -> list[Mapping[str, Any]]:
    """What kinds of resources it keeps; empty when it does not say."""
    if peer.config.discovery == "raw":
        return []
    return _asked(peer, lambda asking: asking.query(ResourceType), _many) or []


def keeps_groups(kinds: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are groups; one that does not say is taken to have the standard's."""
    return not kinds or any(str(kind.get("endpoint") or "").rstrip("/").endswith("/Groups") for kind in kinds)


def described(peer: Peer, kinds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mapping's attributes from the published schemas; empty when they are not published or make no sense."""
    if peer.config.discovery == "raw":
        return []
    schemas = _asked(peer, lambda asking: asking.query(Schema), _many) or []
    core, extensions = schema.CORE, ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
    for kind in kinds:
        if str(kind.get("endpoint") or "").rstrip("/").endswith(peer.users):
            core = str(kind.get("schema") or core)
            more = kind.get("schemaExtensions")
            extensions = [
                str(each.get("schema"))
                for each in (more if isinstance(more, list) else [])
                if isinstance(each, Mapping)
            ]
            break
    return schema.described(schemas, core=core, extensions=extensions)


def permissions(able: Abilities, config: Any) -> tuple[Permission, ...]:
    """What it can do, in words; what it cannot is done another way, so nothing is missing."""

    def line(name: str, has: bool, with_: str, without: str) -> Permission:
        return Permission(name, with_, without, "granted" if has else "unused")

    patches = able.patch if config.changes == "told" else config.changes == "patch"
    return (
        line(
            "Says what it can do",
            able.told,
            "It describes its abilities.",
            "It does not describe its abilities; the standard’s core is taken as given.",
        ),
        line("Small changes", patches, "Only what changed is sent.", "The whole record is read and sent back."),
        line("Search", able.filter, "One person is found with one call.", "One person is found by reading everybody."),
        line(
            "Versions",
            able.etag,
            "A record is replaced only if nobody changed it meanwhile.",
            "Two who change a record at once are not noticed there.",
        ),
        line(
            "Groups",
            able.groups and config.groups,
            "Groups that are known here follow, with their members.",
            "Groups stay here; “Groups follow” under the settings changes that."
            if able.groups
            else "It keeps no groups.",
        ),
        line(
            "Passwords",
            config.passwords,
            "A password chosen here is set there too.",
            "Passwords are never sent there; people sign in elsewhere.",
        ),
    )


def _asked(peer: Peer, ask: Callable[[_Asking], Any], read: Callable[[Any], Any]) -> Any:
    """One question; None when the answer is missing or makes no sense. What a wait can mend is raised."""
    asking = _Asking(peer)
    try:
        found = ask(asking)
    except (Missing, Refused):
        return None
    except Unreachable as error:
        if error.code != "unexpected_reply":
            raise
        return None
    except (SCIMClientException, SCIMException, ValueError, TypeError, RecursionError, LookupError):
        # It bends the standard: what stands there is still worth more than nothing.
        return read(asking.answer.json()) if asking.answer is not None else None
    return read(found.model_dump(mode="json", by_alias=True) if isinstance(found, ScimObject) else found)


def _one(body: Any) -> Mapping[str, Any] | None:
    return body if isinstance(body, Mapping) and any(name in body for name in ("patch", "filter", "bulk")) else None


def _many(body: Any) -> list[Mapping[str, Any]] | None:
    rows = body.get("Resources") if isinstance(body, Mapping) else body
    return [each for each in rows if isinstance(each, Mapping)] if isinstance(rows, list) else None


def _supports(told: Mapping[str, Any], name: str) -> bool:
    part = told.get(name)
    return isinstance(part, Mapping) and part.get("supported") is True
