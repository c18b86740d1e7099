"""What was done and what needs a person, read from the rows as they are. Changes nothing.

provisioning   the Provisioning Report: one query for the page, its chart, the exports and the command line
queue          what is about to be done elsewhere, and what of it waits for a person
onboarding     how far people have come, and what one sending led to
home           what needs a person now, how many people there are, and the last thirty days
"""

from provision.services.reports import queue
from provision.services.reports.home import App, Day, Home, Need, home
from provision.services.reports.onboarding import Funnel, Result, funnel, results
from provision.services.reports.provisioning import (
    COLUMNS,
    Filter,
    Row,
    Slice,
    Slot,
    Summary,
    as_cells,
    as_object,
    page,
    row,
    rows,
    summary,
)

__all__ = [
    "COLUMNS",
    "App",
    "Day",
    "Filter",
    "Funnel",
    "Home",
    "Need",
    "Result",
    "Row",
    "Slice",
    "Slot",
    "Summary",
    "as_cells",
    "as_object",
    "funnel",
    "home",
    "page",
    "queue",
    "results",
    "row",
    "rows",
    "summary",
]
