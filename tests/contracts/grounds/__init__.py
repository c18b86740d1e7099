"""Where the contracts are tried: every kind, on every ground it has. One line here is one contract run."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.contracts.ground import Ground, Target
from tests.contracts.grounds import csv_file, microsoft365, scim

TARGETS: Mapping[str, Callable[[Path], Target]] = {
    "Microsoft 365 in process": microsoft365.InProcess,
    "Microsoft 365 over TLS": microsoft365.OverTls,
    "Microsoft 365 at its worst": microsoft365.Unruly,
    "SCIM over HTTP": scim.OverHttp,
    "SCIM that takes whole records": scim.Whole,
}
SOURCES: Mapping[str, Callable[[Path], Ground]] = {
    **{name: make for name, make in TARGETS.items() if make is not scim.Whole},
    "SCIM without a search": scim.Searchless,
    "CSV of some people": csv_file.Some,
    "CSV of everybody": csv_file.Everybody,
    "CSV in a watched folder": csv_file.Watched,
}
