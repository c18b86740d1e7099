"""One pass over a connector: observe what is there, absorb what is certain, hold what would take away too much.

requests   what people and timers ask for, and what they may know of a cycle
walk       the pass itself: pages in, commits, rests, restarts; decides nothing
ahead      the next pages, fetched while these are written
taking     one batch as one, or without the account that cannot be stored
observing  what pages show becomes account rows
judging    whom each account belongs to
absorbing  account rows become people
comparing  what linked accounts hold that differs from what the mapping owns
accepting  some of it is taken over, because a person says so
missing    what follows from who was not shown
following  what it brought goes on to the other apps
ending     who vanished, what went empty, the brake, the watermark
pushing    what an app sends by itself, outside any cycle
preview    what an import would do, row by row, and what a person decided about a row
"""

from provision.services.cycles.accepting import accept
from provision.services.cycles.beginning import goes_on_at
from provision.services.cycles.ending import Leaving, leaving, release
from provision.services.cycles.frame import COUNTS, Item
from provision.services.cycles.judging import incomplete
from provision.services.cycles.observing import Owned
from provision.services.cycles.preview import PreviewCounts, PreviewRow, decide, preview_counts, preview_rows
from provision.services.cycles.pushing import Client, enter, push, returning, standing, take_away
from provision.services.cycles.requests import (
    barred,
    comparison_due,
    due,
    held,
    history,
    last_comparison,
    latest,
    next_comparison,
    request,
    request_due,
    show,
    stop,
    under_way,
    unfinished,
)
from provision.services.cycles.walk import Ways, run, run_requested

__all__ = [
    "COUNTS",
    "Client",
    "Item",
    "Leaving",
    "Owned",
    "PreviewCounts",
    "PreviewRow",
    "Ways",
    "accept",
    "barred",
    "comparison_due",
    "decide",
    "due",
    "enter",
    "goes_on_at",
    "held",
    "history",
    "incomplete",
    "last_comparison",
    "latest",
    "leaving",
    "next_comparison",
    "preview_counts",
    "preview_rows",
    "push",
    "release",
    "request",
    "request_due",
    "returning",
    "run",
    "run_requested",
    "show",
    "standing",
    "stop",
    "take_away",
    "under_way",
    "unfinished",
]
