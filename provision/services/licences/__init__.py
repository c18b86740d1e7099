"""Licences: how many seats there are, who has one and why, and who shall have one.

assigning   the wish, kept in the account until it is fulfilled
showing     what one person holds, and what giving or taking would mean for many, before the click
"""

from provision.services.licences.assigning import (
    Assigned,
    Forecast,
    Seats,
    assign,
    carries_location,
    foresee,
    named,
    remove,
    seats,
)
from provision.services.licences.showing import Glimpse, Licence, Shelf, give, renew, seen, sellers, shelves, take

__all__ = [
    "Assigned",
    "Forecast",
    "Glimpse",
    "Licence",
    "Seats",
    "Shelf",
    "assign",
    "carries_location",
    "foresee",
    "give",
    "named",
    "remove",
    "renew",
    "seats",
    "seen",
    "sellers",
    "shelves",
    "take",
]
