"""What may be an organisation's logo: judged by its bytes and by nothing that anybody says about it.

Owns which kinds of picture there are, their bounds and how large they are shown; draws nothing and keeps nothing. Only the
frame of a file is read, so that nothing of it is ever run: a drawing that can carry a program (SVG) is no picture here.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provision.core.vocabulary import PictureKind

LARGEST = 100_000
SMALLEST_SIDE, LONGEST_SIDE = 16, 2000
KINDS: Mapping[PictureKind, str] = {
    PictureKind.PNG: "image/png",
    PictureKind.JPEG: "image/jpeg",
    PictureKind.GIF: "image/gif",
    PictureKind.WEBP: "image/webp",
}
"""The kinds that every browser shows → what they are served as."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is one. ``digest``: SHA-256, in hexadecimal digits; ``in_mails``: mails carry it, too."""

    kind: PictureKind
    width: int
    height: int
    digest: str
    in_mails: bool = True

    @property
    def speaks(self) -> bool:
        """Whether it is so wide that it most likely is the name itself, which then need not stand beside it."""
        return self.width > 2 * self.height

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """Its size within a space, its proportions kept; it is never enlarged."""
        scale = min(1.0, width / self.width, height / self.height)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


class Unfit(ValueError):
    """This cannot be a logo. ``code`` is a remedy key, ``params`` fill its blanks."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def judge(content: bytes) -> Logo:
    """What a file is. Raises Unfit with the reason why it cannot be a logo."""
    if not content:
        raise Unfit("logo_missing")
    if len(content) > LARGEST:
        raise Unfit("logo_too_large", kb=LARGEST // 1000)
    kind = next((kind for kind, begins in _BEGINNINGS.items() if begins(content)), None)
    if kind is None:
        raise Unfit("logo_kind")
    try:
        sides = _SIDES[kind](content)
    except (IndexError, struct.error):
        sides = None
    if sides is None:
        raise Unfit("logo_damaged")
    width, height = sides
    if not all(SMALLEST_SIDE <= side <= LONGEST_SIDE for side in sides):
        raise Unfit("logo_sides", width=width, height=height, least=SMALLEST_SIDE, most=LONGEST_SIDE)
    return Logo(kind, width, height, hashlib.sha256(content).hexdigest())


# -- Below: how each kind says what it is ----------------------------------------------------------------------------------

_BEGINNINGS: Mapping[PictureKind, Callable[[bytes], bool]] = {
    PictureKind.PNG: lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"),
    PictureKind.JPEG: lambda content: content.startswith(b"\xff\xd8\xff"),
    PictureKind.GIF: lambda content: content[:6] in (b"GIF87a", b"GIF89a"),
    PictureKind.WEBP: lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP",
}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The JPEG markers after which the sides stand."""


def _png(content: bytes) -> tuple[int, int] | None:
    """Chunk after chunk with its checksum, from the head to the end; what follows the end would be something else."""
    sides, place = None, 8
    while place < len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        body = content[place + 4 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, place + 8 + length)
        if zlib.crc32(body) != checksum or (sides is None) != (name == b"IHDR"):
            return None
        if name == b"IHDR":
            sides = struct.unpack_from(">II", body, 4)
        place += 12 + length
        if name == b"IEND":
            return sides if place == len(content) else None
    return None


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """Segment after segment up to the picture itself, which reaches to the end mark."""
    sides, place = None, 2
    while content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, place + 5)
            sides = width, height
        if marker == 0xDA:
            return sides if content.rstrip(b"\0").endswith(b"\xff\xd9") else None
        place += 2 + length
    return None


def _gif(content: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", content, 6)
    return (width, height) if content.rstrip(b"\0").endswith(b";") else None


def _webp(content: bytes) -> tuple[int, int] | None:
    (length,) = struct.unpack_from("<I", content, 4)
    if length + 8 != len(content):
        return None
    name, body = content[12:16], content[20:]
    if name == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if name == b"VP8L" and body[0] == 0x2F:
        (bits,) = struct.unpack_from("<I", body, 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


_SIDES: Mapping[PictureKind, Callable[[bytes], tuple[int, int] | None]] = {
    PictureKind.PNG: _png,
    PictureKind.JPEG: _jpeg,
    PictureKind.GIF: _gif,
    PictureKind.WEBP: _webp,
}
