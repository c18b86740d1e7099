"""The people of a tenant: finding them and showing one beside the accounts they have elsewhere. Changes nobody here.

finding   the User List: search, filters, order, pages in both directions; one person by what a command line names
records   people as plain rows, for scripts
showing   one person: what we hold beside what was last seen there, attribute by attribute
"""

from provision.services.users.finding import (
    SORTS,
    AccountRow,
    BadCursor,
    Count,
    Query,
    Row,
    Slice,
    Standing,
    everyone,
    find,
    search,
    shown,
)
from provision.services.users.records import records
from provision.services.users.showing import AccountView, Cell, Line, Person, show

__all__ = [
    "SORTS",
    "AccountRow",
    "AccountView",
    "BadCursor",
    "Cell",
    "Count",
    "Line",
    "Person",
    "Query",
    "Row",
    "Slice",
    "Standing",
    "everyone",
    "find",
    "records",
    "search",
    "show",
    "shown",
]
