"""Where an app with an address of its own may lead: nowhere but to the open internet, unless the installation says so.

Owns the judgement of an address a person typed, made anew before every call, and the address that is then connected to;
never sends anything. A name that leads to an internal address gets no connection, whatever it led to a moment ago.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from provision.core.ports import Unreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[..., Sequence[Any]]

PORTS = frozenset({443, 4443, 8443, 9443})
"""Where web applications listen with TLS. Elsewhere on the open internet something else answers."""

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Reach:
    """What may be reached: public addresses over https, and the ``networks`` that the installation allows besides.

    Plain http is for this machine only, and only where its own network is among the allowed ones.
    """

    networks: tuple[Network, ...] = ()
    resolve: Resolve = socket.getaddrinfo

    def address(self, scheme: str, host: str, port: int) -> str:
        """The one address to connect to, after every address of the name was found fit. Raises Unreachable, unsent."""
        found = self._found(host, port)
        if not found:
            raise Unreachable("host_unreachable", sent=False, host=host)
        for address in found:
            allowed = any(address in network for network in self.networks)
            if not allowed and (not is_public(address) or port not in PORTS):
                raise Unreachable("address_not_allowed", sent=False, host=host)
            if scheme != "https" and not (allowed and address.is_loopback):
                raise Unreachable("address_not_https", sent=False, host=host)
        return str(found[0])

    def _found(self, host: str, port: int) -> list[Address]:
        try:
            rows = self.resolve(host, port, type=socket.SOCK_STREAM)
            return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
        except (OSError, ValueError, UnicodeError):
            return []


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks as they are written: ``10.1.0.0/16``, ``::1/128``. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())


def is_public(address: Address) -> bool:
    """Whether an address lies in the open internet, looked at through every way of wrapping an old address into a new."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _TRANSLATED:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(wrapped)
    return address.is_global and not address.is_multicast and not address.is_reserved
