"""How style sheets and scripts travel: packed, kept, and never packed for those who cannot unpack."""

import gzip

from flask import Flask


def test_a_style_sheet_travels_packed(app: Flask) -> None:
    plain = app.test_client().get("/static/app.css", buffered=True)
    packed = app.test_client().get("/static/app.css", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) * 3 < len(plain.data)
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_what_never_changes_is_kept_for_a_year(app: Flask) -> None:
    client = app.test_client()
    kept = {
        path: client.get(path, buffered=True).headers["Cache-Control"]
        for path in ("/static/app.css?v=1", "/static/vendor/htmx.org@2.0.11/htmx.min.js", "/static/app.css")
    }
    assert ["immutable" in told for told in kept.values()] == [True, True, False]


def test_nothing_outside_the_folder_is_served(app: Flask) -> None:
    assert app.test_client().get("/static/../app.py").status_code == 404
    assert app.test_client().get("/static/nothing.css").status_code == 404


def test_a_page_and_its_files_stay_light(app: Flask) -> None:
    """What a first visit loads, packed: below 150 kB together."""
    client = app.test_client()
    page = client.get("/signin")
    names = [part.split('"')[0] for part in page.text.split('"/static/')[1:]]
    sizes = [len(client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"}).data) for name in set(names)]
    assert len(sizes) >= 4
    assert sum(sizes) + len(page.data) < 150_000
