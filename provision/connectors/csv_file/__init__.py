"""A file of rows as a source: one row a person, one column the key that names them for good.

Owns what a walk over a file is; how its bytes become cells is ``reading``'s affair. The file is compared with the last one
by its digest alone; what changed in it is found by whoever keeps what was seen.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.connectors.credentials import Secret
from provision.connectors.csv_file.judging import Cells, Fitness, fitness, judged
from provision.connectors.csv_file.reading import DELIMITERS, Form, recognise
from provision.connectors.http import World
from provision.connectors.kinds import KindSpec, MappingDefault
from provision.core.headings import KEYS, means
from provision.core.ports import Appearance, Attribute, Check, Page, Refused, Seen, WatermarkLost
from provision.core.vocabulary import USER_ATTRIBUTES, Direction, Kind, Owner, key

PAGE = 1000
TOLD = 200
"""How many of a file's problems are told one by one."""
FEW = 10
"""One row in so many may lack a key of its own, and its column is still taken for the key."""
_DELIMITER = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_NAMED = {sign: name for name, sign in _DELIMITER.items()}


class CsvConfig(BaseModel):
    """The settings of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    key: str = Field(
        default="",
        max_length=128,
        title="Key column",
        description="The column that names a person for good, such as an employee number. Empty: chosen from the first file.",
        examples=["Employee ID"],
    )
    whole: bool = Field(
        default=False,
        title="The file holds everybody",
        description="Who is missing from a new file counts as gone; what happens to them is set in provisioning. The brake"
        " asks first. Off: nothing is concluded from absence.",
    )
    watched: str = Field(
        default="",
        max_length=200,
        title="Watched file",
        description="A file in this server’s folder for your organisation, read at each import. Empty: you upload.",
        examples=["people.csv"],
        json_schema_extra={"widget": "advanced"},
    )
    delimiter: Literal["auto", "comma", "semicolon", "tab", "bar"] = Field(
        default="auto",
        title="Between cells",
        description="What stands between two cells, if it is not recognised.",
        json_schema_extra={
            "labels": {"auto": "recognised", "comma": "comma", "semicolon": "semicolon", "tab": "tab", "bar": "bar |"}
        },
    )
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "iso8859_15", "mac_roman"] = Field(
        default="auto",
        title="Encoding",
        description="How letters are written, if names come out wrong.",
        json_schema_extra={"labels": {"auto": "recognised"}},
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What a file turned out to be. ``problems``: rows and cells that are left out: row, column, code and its blanks.

    ``unfit`` rows are left out whole, ``doubtful`` cells are told and their rows are taken.
    """

    form: Form
    key: str
    digest: str
    people: int
    problems: tuple[Mapping[str, Any], ...]
    unfit: int
    doubtful: int


class CsvFile:
    """One file behind the Source port.

    ``load`` gives its bytes, None when there is none yet; ``goes`` tells which heading goes to which attribute of ours.
    """

    def __init__(
        self,
        config: CsvConfig,
        load: Callable[[], bytes | None],
        outside_id: str,
        goes: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._config, self._load, self._outside_id, self._goes = config, load, outside_id, goes

    def check(self) -> Check:
        """Read the whole file once. Raises Refused with what is wrong with it."""
        data = self._data()
        look = self._look(data)
        facts = {
            "headings": list(look.form.headings),
            "key": look.key,
            "encoding": look.form.encoding,
            "delimiter": _NAMED[look.form.delimiter],
            "digest": look.digest,
            "bytes": len(data),
            "people": look.people,
            "unfit": look.unfit,
            "doubtful": look.doubtful,
            "missing": [[heading, ours] for heading, ours in self._goes().items() if heading not in look.form.headings],
            "problems": list(look.problems),
        }
        return Check(self._outside_id, "CSV", facts)

    def schema(self) -> Sequence[Attribute]:
        """Its columns. Raises Refused when there is no file, or none that can be read."""
        return _attributes(recognise(self._data(), *self._given()).headings)

    def changes(
        self, attributes: Sequence[str], *, watermark: str | None = None, position: str | None = None
    ) -> Iterator[Page]:
        """Every row that can be a person, unless the file is the one that the watermark stands for.

        A file that holds everybody is read as such when it is another one by now, so that absence means something.
        """
        data = self._data()
        look = self._look(data)
        place, _, begun = (position or "").rpartition("/")
        if position and (place != look.digest or not begun.isdigit()):
            raise WatermarkLost
        if watermark is not None and position is None:
            if watermark == look.digest:
                yield Page((), watermark=look.digest)
                return
            if self._config.whole:
                raise WatermarkLost
        if self._config.whole and look.unfit:
            raise Refused("csv_rows_unfit", number=look.unfit)
        wanted = [name for name in look.form.headings if name in {*attributes, look.key} or means(name) == "email"]
        page: list[Seen] = []
        for row, seen in self._people(data, look, wanted, int(begun) if position else 0):
            page.append(seen)
            if len(page) == PAGE:
                yield Page(page, position=f"{look.digest}/{row}")
                page = []
        yield Page(page, watermark=look.digest)

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        """The address that a person signs in with, if a column says so; whether they may is not a file's affair."""
        address = next((value for name, value in values.items() if value and means(name) == "email"), None)
        return Appearance(str(address or ""), None, {})

    # -- Below: how ------------------------------------------------------------------------------------------------------

    def _data(self) -> bytes:
        data = self._load()
        if data is None:
            raise Refused("csv_no_file", name=self._config.watched or "")
        return data

    def _given(self) -> tuple[str, str]:
        config = self._config
        return ("" if config.encoding == "auto" else config.encoding, _DELIMITER.get(config.delimiter, ""))

    def _look(self, data: bytes) -> Look:
        form = recognise(data, *self._given())
        name, goes = self._key(data, form), self._goes()
        cells_of = Cells(form, goes)
        problems: list[Mapping[str, Any]] = []
        people = unfit = doubtful = 0
        for row, anchor, cells, problem in judged(data, form, name):
            wrong = list(cells_of.problems(row, cells)) if problem is None else [problem]
            people, unfit = people + (problem is None), unfit + (problem is not None)
            doubtful += len(wrong) if problem is None else 0
            problems += [{"row": row, "anchor": anchor[:80], **each} for each in wrong[: TOLD - len(problems)]]
        told = repr((self._config.key, name, form.delimiter, form.encoding, sorted(goes.items()))).encode()
        digest = hashlib.sha256(data + told).hexdigest()[:32]
        return Look(form, name, digest, people, tuple(problems), unfit, doubtful)

    def _key(self, data: bytes, form: Form) -> str:
        """The key column: as set, else the first that looks like a key and names every row differently.

        Where none does, one that fails in a few rows is still the key, and those rows are left out and told.
        """
        if self._config.key:
            found = next((name for name in form.headings if key(name) == key(self._config.key)), None)
            if found is None:
                raise Refused("csv_key_missing", heading=self._config.key)
            return found
        ours = {means(name): name for name in reversed(form.headings)}
        candidates: list[Fitness] = []
        for name in (ours[each] for each in KEYS if each in ours):
            candidates.append(fitness(data, form, name))
            if not candidates[-1].unfit:
                return name
        if not candidates:
            raise Refused("csv_no_key")
        best = min(candidates, key=lambda one: one.unfit)
        if best.unfit * 2 >= best.rows or best.unfit > max(1, best.rows // FEW):
            raise Refused(best.code, number=best.unfit, **best.params)
        return best.heading

    def _people(self, data: bytes, look: Look, wanted: Sequence[str], after: int) -> Iterator[tuple[int, Seen]]:
        kept = Cells(look.form, self._goes())
        for row, anchor, cells, problem in judged(data, look.form, look.key):
            if problem is None and row > after:
                yield row, Seen(anchor, kept.values(cells, wanted))


def _attributes(headings: Sequence[str]) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, name, writable=False, reason="csv_read_only") for name in headings)


def build(config: CsvConfig, secret: Secret | None, outside_id: str | None, world: World) -> CsvFile:  # noqa: ARG001
    """One file; it is called by an id of our own, since nobody outside gives it one."""
    return CsvFile(config, lambda: world.file(config.watched), outside_id or f"csv:{world.new_id()}", world.goes)


def discover(facts: Mapping[str, Any]) -> tuple[Attribute, ...]:
    """The columns of the last file."""
    return _attributes([str(name) for name in facts.get("headings") or ()])


SAMPLE = tuple(USER_ATTRIBUTES.values())
"""The headings of the file that we give as an example, and write ourselves."""

SPEC = KindSpec(
    kind=Kind.CSV,
    label="CSV file",
    config=CsvConfig,
    is_target=False,
    consents=False,
    default_mappings=tuple(
        MappingDefault(
            label, ours, Direction.IN, owner=Owner.THEIRS, matching_priority={"email": 1, "employee_id": 2}.get(ours)
        )
        for ours, label in USER_ATTRIBUTES.items()
    ),
    matching=(),
    schema=_attributes(SAMPLE),
    sign_in="Email Address",
    build=build,
    about="People from a spreadsheet or a nightly export: uploaded, or read from a folder of this server.",
    discover=discover,
    takes_file=True,
    whole=lambda config: bool(config.get("whole")),
)

__all__ = ["DELIMITERS", "SAMPLE", "SPEC", "CsvConfig", "CsvFile", "build", "discover"]
