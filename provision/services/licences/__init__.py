"""Licences: how many seats there are, who has one and why, and who shall have one.

assigning   the wish, kept in the account until it is fulfilled
showing     what one person holds, and what giving or taking would mean for many, before the click
waiting     who waits for a seat, licence by licence
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
from provision.services.licences.waiting import Shortage, lacks, name_of, short, undecided

__all__ = [
    "Assigned",
    "Forecast",
    "Glimpse",
    "Licence",
    "Seats",
    "Shelf",
    "Shortage",
    "assign",
    "carries_location",
    "foresee",
    "give",
    "lacks",
    "name_of",
    "named",
    "remove",
    "renew",
    "seats",
    "seen",
    "sellers",
    "shelves",
    "short",
    "take",
    "undecided",
]
