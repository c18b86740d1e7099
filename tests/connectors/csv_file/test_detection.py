"""Encoding and delimiter are recognised by themselves, whatever program wrote the file and however its user is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.csv_file.reading import recognise
from tests.connectors.csv_file.test_reading import read, written

HEAD = ["Employee ID", "First Name", "Last Name", "Department"]
WESTERN = "éèêëàâäåæçîïìíñôöòóøõüùúûýßÉÅÄÖØÜÑÇ"
WIDE = WESTERN + "łżźćńśąęőűščřžğıİşабвгдежзийклмноαβγδεζη漢字山田太郎한국어عبدתודה"


def words(letters: str) -> st.SearchStrategy[str]:
    """A name as people have it: mostly plain letters, an accent here and there, sometimes a sign of another delimiter."""
    plain = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH '-.", min_size=4, max_size=12)
    accent = st.one_of(st.just(""), st.sampled_from(list(letters)))
    return st.builds(lambda a, b, c: f"X{a}{b}{c}x", plain, accent, plain)


def tables(letters: str) -> st.SearchStrategy[list[list[str]]]:
    row = st.lists(words(letters), min_size=3, max_size=3)
    return st.lists(row, min_size=3, max_size=12).map(lambda rows: [[f"k{n}", *row] for n, row in enumerate(rows)])


DELIMITER = st.sampled_from([",", ";", "\t", "|"])


@given(table=tables(WIDE), delimiter=DELIMITER, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_a_unicode_file_is_recognised(table: list[list[str]], delimiter: str, encoding: str) -> None:
    data = written([HEAD, *table], delimiter, encoding)
    assert recognise(data).delimiter == delimiter
    assert read(data) == table


@given(table=tables(WESTERN), delimiter=DELIMITER, encoding=st.sampled_from(["cp1252", "iso8859-1", "iso8859-15"]))
def test_a_western_file_is_recognised(table: list[list[str]], delimiter: str, encoding: str) -> None:
    data = written([HEAD, *table], delimiter, encoding)
    assert recognise(data).delimiter == delimiter
    assert read(data) == table


@given(table=tables(WESTERN), delimiter=DELIMITER, other=DELIMITER, at=st.integers(0, 2))
def test_a_sign_of_another_delimiter_in_a_cell_misleads_nobody(
    table: list[list[str]], delimiter: str, other: str, at: int
) -> None:
    table[at][2] = f"one{other} two"
    data = written([HEAD, *table], delimiter)
    assert recognise(data).delimiter == delimiter
    assert read(data) == table


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1250", ["Żaneta Wójcik", "Łukasz Świątek", "Božena Černá", "Jiří Dvořák", "Šárka Němcová"]),
        ("cp1251", ["Анна Каренина", "Пётр Безухов", "Наташа Ростова", "Андрей Болконский", "Мария Волконская"]),
        ("cp1253", ["Νίκος Παπαδόπουλος", "Μαρία Γεωργίου", "Ελένη Νικολάου", "Δημήτρης Ιωάννου", "Κώστας Οικονόμου"]),
        ("cp1254", ["Ayşe Yılmaz", "İbrahim Şahin", "Gülşen Çağlar", "Oğuz Işık", "Emre Güneş"]),
        ("shift_jis", ["山田太郎", "佐藤花子", "鈴木一郎", "高橋美咲", "田中健一"]),
    ],
)
def test_other_code_pages_are_recognised_or_can_be_set(encoding: str, names: list[str]) -> None:
    table = [[f"k{number}", names[number % len(names)], "North"] for number in range(60)]
    data = written([HEAD[:3], *table], ";", encoding)
    assert recognise(data).delimiter == ";"
    assert read(data, encoding=encoding) == table
