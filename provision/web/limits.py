"""How often one network may ask for the pages that are open to everybody. Counts in memory; a restart forgets.

Owns the figures; what is refused for its number is told by whose page it is.
"""

from flask import Flask, Response, request
from flask_limiter import Limiter

from provision.core.passwords import network


def _who() -> str:
    """The address itself, of IPv6 the /64: an office behind one address is one, but no neighbour of it."""
    address = request.remote_addr or ""
    return network(address) if ":" in address else address


def _missed(response: Response) -> bool:
    """Tries with a link that holds are counted at the link; only the others count here."""
    return response.status_code in (403, 404, 422)


_limiter = Limiter(_who, storage_uri="memory://", headers_enabled=False)

reading = _limiter.limit("60 per minute")
trying = _limiter.shared_limit("10 per minute", scope="trying", deduct_when=_missed)
asking = _limiter.shared_limit("10 per minute", scope="asking")
looking = _limiter.shared_limit("120 per minute", scope="looking")


def install(app: Flask) -> None:
    """Count from now on."""
    _limiter.init_app(app)
