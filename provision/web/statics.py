"""Style sheets, scripts and icons: packed once per file, kept by browsers as long as they may be.

Owns how static files travel; never what is in them.
"""

import functools
import gzip
from pathlib import Path

from flask import Flask, Response, current_app, request

_PACKED = frozenset({".css", ".js", ".svg", ".json"})
_FOR_EVER = 365 * 24 * 3600


def install(app: Flask) -> None:
    """Take over Flask's own route of static files."""
    app.view_functions["static"] = serve


def serve(filename: str) -> Response:
    """One static file; gzipped where the browser takes it.

    A file under ``vendor/NAME@VERSION/`` never changes, and one asked for with ``?v=`` changes its address with each
    release, so both are kept for a year without asking.
    """
    fixed = filename.startswith("vendor/") or "v" in request.args
    response = current_app.send_static_file(filename)
    response.cache_control.max_age = _FOR_EVER if fixed else 3600
    response.cache_control.no_cache = None
    response.cache_control.public = True
    response.cache_control.immutable = fixed
    path = Path(str(current_app.static_folder)) / filename
    if path.suffix in _PACKED and response.status_code == 200 and request.method == "GET":
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            _pack(response, path)
    return response


def _pack(response: Response, path: Path) -> None:
    etag, _weak = response.get_etag()
    response.close()  # the plain file was opened already
    response.direct_passthrough = False
    response.set_data(_packed(path, path.stat().st_mtime_ns))
    response.content_encoding = "gzip"
    if etag:
        response.set_etag(f"{etag}-gzip")


@functools.lru_cache(maxsize=64)
def _packed(path: Path, _changed: int) -> bytes:
    """The file's bytes, packed reproducibly; kept until the file changes."""
    return gzip.compress(path.read_bytes(), 9, mtime=0)
