"""Files as people really send them: what is wrong with each, and the sentence that they are answered with."""

from collections.abc import Mapping

HEAD = "Personal-Nr.;Vorname;Nachname;E-Mail\r\n"
GOOD = HEAD + "1;Zoë;Ek;zoe@there.example\r\n2;Bo;Ås;bo@there.example\r\n"
_MORE = GOOD.replace("E-Mail\r\n", "E-Mail;Shoe\r\n").replace(".example", ".example;41")
_LATIN = "3;Björn;Ek;b@there.example\r\n".encode("cp1252")

REFUSED: Mapping[str, tuple[bytes, str]] = {
    "an empty file after a full one": (b"", "There is no row in it"),
    "nothing but blanks and NUL": (b" \r\n\0\0\r\n \t", "There is no row in it"),
    "one column": (b"Name\r\nAda\r\nBo\r\n", "The whole row was read as “Name”"),
    "two headings alike": (b"ID;Name;id\r\n1;a;2\r\n", "“id” stands above column 1 and column 3"),
    "no headings": (b"1;ada@there.example\r\n2;bo@there.example\r\n", "There is an address where the names"),
    "a heading of two hundred letters": (b"ID;" + b"x" * 200 + b"\r\n1;2\r\n", "longer than 128 characters"),
    "three hundred columns": (
        b";".join(b"h%d" % number for number in range(300)) + b"\r\n",
        "Up to 200 columns are read",
    ),
    "a quote that is never closed": (
        HEAD.encode() + b'1;"never\r\n' + b"2;b\r\n" * 50_000,
        "everything is one single cell",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "The file is a picture, not text"),
    "a workbook of Excel": (
        b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)) * 20,
        "choose “Save as” and the type “CSV UTF-8”",
    ),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "choose “Save as” and the type “CSV UTF-8”"),
    "bytes of a program": (bytes(range(1, 256)) * 20, "The file is something else, not text"),
    "a page of a network that wants a sign-in": (
        b"<!doctype html>\n<title>Sign in</title>\n",
        "Sign in there, download the table itself",
    ),
    "a page with commas in it": (
        b'\xef\xbb\xbf\n<HTML lang="en"><p>a, b, c</p>\n',
        "Sign in there, download the table itself",
    ),
    "a hundred thousand rows and one": (
        HEAD.encode() + b"1;a;b;c@d.example\r\n" * 100_001,
        "Up to 100000 rows are read",
    ),
}
"""Nothing of these is taken, and the file from before stays."""

TOLD: Mapping[str, tuple[bytes, str, int]] = {
    "only headings": (HEAD.encode(), "", 0),
    "formulas": ((HEAD + '7;"=HYPERLINK(""x"")";@SUM(1);p7@there.example\r\n').encode(), "", 1),
    "NUL in a cell": ((HEAD + "7;A\0da;Ek;p7@there.example\r\n").encode(), "", 1),
    "mixed encodings": (GOOD.encode() + _LATIN, "holds bytes that are no letters", 2),
    "a row twice": ((GOOD + "2;Bo;Ås;bo@there.example\r\n").encode(), "is the same as in row 3; that row counts", 2),
    "a row cut short": ((GOOD + "3;Cy").encode(), "The row has 2 cells, the headings 4", 2),
    "a row without a key": ((GOOD + ";Cy;Ek;cy@there.example\r\n").encode(), "Personal-Nr.", 2),
    "a column that is taken over is missing": (
        b"Personal-Nr.;Vorname;E-Mail\r\n1;Zoe;zoe@x.example\r\n",
        "Nachname",
        1,
    ),
    "a heading that goes nowhere": (_MORE.encode(), "", 2),
}
"""What can be taken is taken, the rest is told; and how many people are found."""
