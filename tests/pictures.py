"""Pictures of every kind a logo may be, small and whole, and things that only look like one."""

import base64
import struct
import zlib

WEBP = base64.b64decode(
    "UklGRkAAAABXRUJQVlA4IDQAAAAwAwCdASooABQAPxGGu1csKSYjpWgBgCIJZwDI1A8KmggAAP7lCv8XdiOMndFbJhDjUAAA"
)
"""40 × 20, as a browser wrote it (VP8)."""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><script>alert(1)</script></svg>'


def png(width: int = 40, height: int = 20, *, colour: bytes = b"\x49\x46\xb1") -> bytes:
    """One colour."""
    lines = zlib.compress((b"\0" + colour * width) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")


def gif(width: int = 40, height: int = 20) -> bytes:
    """The frame of one, with an empty picture."""
    sides = struct.pack("<HH", width, height)
    return b"GIF89a" + sides + b"\x80\0\0" + b"\x49\x46\xb1\xff\xff\xff" + b"," + b"\0" * 4 + sides + b"\0\2\1\x44\0;"


def jpeg(width: int = 40, height: int = 20) -> bytes:
    """The frame of one, with a comment before it and nothing in it."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    return b"".join((
        b"\xff\xd8", _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), _segment(0xFE, b"\xff\xc0 in a comment"),
        _segment(0xC0, frame), _segment(0xDA, b"\1\1\0\0\x3f\0"), b"\x00\xff\xd9",
    ))  # fmt: skip


def webp(width: int = 40, height: int = 20) -> bytes:
    """The frame of a lossless one (VP8L)."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<IBI", 5, 0x2F, bits) + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def wide_webp(width: int = 40, height: int = 20) -> bytes:
    """The frame of one with alpha or movement (VP8X)."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<II", 10, 0) + sides
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
