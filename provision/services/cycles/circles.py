"""Noticing that a walk runs in circles, however long they are, with a memory of one place that survives any restart.

Owns that memory's form; decides nothing about what follows. R. P. Brent, "An improved Monte Carlo factorization
algorithm", BIT 20 (1980): the remembered place moves on after 1, 2, 4, 8 … steps, so that a circle is entered and closed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any


def walked(mark: Mapping[str, Any] | None, position: str) -> dict[str, Any] | None:
    """The memory after one more position, or None when the walk has been there before. JSON in and out."""
    place = hashlib.blake2b(position.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    if mark is None:
        return {"place": place, "steps": 0, "reach": 1}
    if place == mark["place"]:
        return None
    steps = mark["steps"] + 1
    if steps == mark["reach"]:
        return {"place": place, "steps": 0, "reach": 2 * mark["reach"]}
    return {**mark, "steps": steps}
