"""What can be a logo, judged by its bytes: every kind in its size, and everything that is none with its reason."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.logos import LARGEST, Logo, Unfit, judge
from provision.core.vocabulary import PictureKind
from tests import pictures

MAKERS = {
    PictureKind.PNG: pictures.png,
    PictureKind.JPEG: pictures.jpeg,
    PictureKind.GIF: pictures.gif,
    PictureKind.WEBP: pictures.webp,
}
SIDE = st.integers(16, 2000)


def why(content: bytes) -> str:
    with pytest.raises(Unfit) as unfit:
        judge(content)
    return unfit.value.code


@given(st.sampled_from([kind for kind in PictureKind if kind != "png"]), SIDE, SIDE)
def test_a_picture_is_known_by_its_bytes_with_its_sides(kind: PictureKind, width: int, height: int) -> None:
    make = MAKERS[kind]
    found = judge(make(width, height))
    assert (found.width, found.height) == (width, height)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pictures.png(), "png"), (pictures.jpeg(), "jpeg"), (pictures.gif(), "gif"), (pictures.webp(), "webp"),
        (pictures.wide_webp(), "webp"), (pictures.WEBP, "webp"),
    ],
)  # fmt: skip
def test_every_kind_is_taken(content: bytes, kind: str) -> None:
    found = judge(content)
    assert (found.kind, found.width, found.height, len(found.digest)) == (kind, 40, 20, 64)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "logo_missing"),
        (b"GIF89a" + b"\0" * LARGEST, "logo_too_large"),
        (pictures.SVG, "logo_kind"),
        (b"\xef\xbb\xbf" + pictures.SVG, "logo_kind"),
        (b"<html><script>alert(1)</script>", "logo_kind"),
        (b"\0" * 50 + pictures.png(), "logo_kind"),
        (b"BM" + b"\0" * 60, "logo_kind"),
        (pictures.png()[:-20], "logo_damaged"),
        (pictures.png() + pictures.SVG, "logo_damaged"),
        (pictures.png().replace(b"IHDR\0\0\0\x28", b"IHDR\0\0\0\x29"), "logo_damaged"),
        (pictures.jpeg()[:-2], "logo_damaged"),
        (pictures.jpeg()[:8], "logo_damaged"),
        (pictures.gif()[:-1], "logo_damaged"),
        (pictures.webp()[:-3], "logo_damaged"),
        (b"RIFF\x04\0\0\0WEBP", "logo_damaged"),
        (pictures.png(15, 20), "logo_sides"),
        (pictures.gif(40, 2001), "logo_sides"),
        (pictures.jpeg(0, 0), "logo_sides"),
        (pictures.gif(65535, 65535), "logo_sides"),
    ],
)
def test_what_cannot_be_a_logo_is_told_with_its_reason(content: bytes, code: str) -> None:
    assert why(content) == code


@given(st.binary(max_size=400), st.sampled_from([b"", *(make()[:12] for make in MAKERS.values())]))
def test_any_bytes_are_judged_and_none_break_the_judgement(content: bytes, beginning: bytes) -> None:
    with contextlib.suppress(Unfit):
        judge(beginning + content)


@given(SIDE, SIDE, st.integers(20, 300), st.integers(20, 300))
def test_it_is_shown_within_its_space_and_never_enlarged(width: int, height: int, wide: int, high: int) -> None:
    shown = Logo(PictureKind.PNG, width, height, "0" * 64).fitted(wide, high)
    assert 1 <= shown[0] <= min(wide, width)
    assert 1 <= shown[1] <= min(high, height)
