"""From PNG to WebP: masked, lossless, and decoded once more before it counts."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from checkpoint_assets.collection.browser.screenshot import (
    MAX_SIDE,
    Screenshot,
    encode_screenshot,
)
from checkpoint_assets.model.errors import InvalidScreenshot

BLACK = (0, 0, 0)
SEED = 20260131


def png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    size = width * height * len(mode)
    return Image.frombytes(mode, (width, height), random.Random(SEED).randbytes(size))


def white(width: int = 100, height: int = 80) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def decoded(screenshot: Screenshot) -> Image.Image:
    image = Image.open(BytesIO(screenshot.webp))
    image.load()
    return image


def black_box(screenshot: Screenshot) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what is black; right and bottom are outside."""
    return decoded(screenshot).convert("L").point(lambda value: 255 - value).getbbox()


def box(x: float, y: float, width: float, height: float) -> dict[str, object]:
    return {"x": x, "y": y, "width": width, "height": height, "rule": "password"}


def test_every_pixel_of_the_png_is_in_the_webp():
    image = noise(97, 61)
    stored = encode_screenshot(png(image))
    assert (stored.width, stored.height) == (97, 61)
    assert decoded(stored).format == "WEBP"
    assert decoded(stored).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1", "LA"])
def test_pictures_of_every_kind_become_plain_colours(mode: str):
    image = white().convert(mode)
    stored = decoded(encode_screenshot(png(image)))
    assert stored.mode == "RGB"
    assert stored.getcolors() == [(8000, (255, 255, 255))]


def test_opaque_pixels_of_a_picture_with_alpha_are_kept():
    image = noise(20, 10, "RGBA")
    image.putalpha(255)
    stored = decoded(encode_screenshot(png(image)))
    assert stored.tobytes() == image.convert("RGB").tobytes()


def test_nothing_is_not_a_picture():
    with pytest.raises(InvalidScreenshot, match="no bytes"):
        encode_screenshot(b"")


@pytest.mark.parametrize("data", [b"\x00", b"not a picture", b"<html>", b"\x89PNG\r\n\x1a\n"])
def test_other_bytes_are_not_a_picture(data: bytes):
    with pytest.raises(InvalidScreenshot, match="does not decode"):
        encode_screenshot(data)


def test_another_format_than_png_is_refused():
    out = BytesIO()
    white().save(out, "WEBP")
    with pytest.raises(InvalidScreenshot):
        encode_screenshot(out.getvalue())


def test_a_picture_that_was_cut_off_anywhere_is_refused():
    whole = png(noise(40, 40))
    # Without its last chunk, which holds nothing, all pixels are there.
    pixels_end = whole.rindex(b"IEND") - 8
    for length in random.Random(SEED).sample(range(pixels_end), 200):
        with pytest.raises(InvalidScreenshot):
            encode_screenshot(whole[:length])


def test_a_damaged_picture_is_refused_or_has_all_its_pixels():
    whole = png(noise(16, 16))
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        try:
            stored = encode_screenshot(bytes(damaged))
        except InvalidScreenshot:
            continue
        assert (stored.width, stored.height) == decoded(stored).size


@pytest.mark.parametrize("size", [(1, MAX_SIDE + 1), (MAX_SIDE + 1, 1)])
def test_a_picture_that_webp_cannot_hold_is_refused(size: tuple[int, int]):
    with pytest.raises(InvalidScreenshot, match=str(MAX_SIDE)):
        encode_screenshot(png(white(*size)))


def test_the_largest_side_that_webp_can_hold_is_fine():
    assert encode_screenshot(png(white(1, MAX_SIDE))).height == MAX_SIDE


def test_a_bomb_is_refused_before_it_is_unpacked():
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    with pytest.raises(InvalidScreenshot):
        encode_screenshot(bomb)


def test_a_mask_fills_its_box():
    stored = encode_screenshot(png(white()), [box(10, 20, 30, 15)])
    left, top, right, bottom = black_box(stored) or (0, 0, 0, 0)
    assert (left, top) == (10, 20)
    assert 40 <= right <= 41
    assert 35 <= bottom <= 36
    assert decoded(stored).getpixel((25, 27)) == BLACK


def test_a_mask_grows_with_the_device_pixels():
    stored = encode_screenshot(png(white(200, 160)), [box(10, 20, 30, 15)], scale=2)
    left, top, right, bottom = black_box(stored) or (0, 0, 0, 0)
    assert (left, top) == (20, 40)
    assert 80 <= right <= 81
    assert 70 <= bottom <= 71


def test_a_mask_between_pixels_covers_each_pixel_it_touches():
    stored = encode_screenshot(png(white()), [box(10.4, 20.6, 5.3, 5.3)])
    left, top, right, bottom = black_box(stored) or (0, 0, 0, 0)
    assert (left, top) == (10, 20)
    assert right >= 16
    assert bottom >= 26


def test_a_mask_that_sticks_out_covers_what_is_in_the_picture():
    stored = encode_screenshot(png(white()), [box(-10, -10, 20, 20), box(90, 70, 500, 500)])
    image = decoded(stored)
    assert image.getpixel((0, 0)) == image.getpixel((99, 79)) == BLACK
    assert image.getpixel((50, 40)) == (255, 255, 255)


def test_a_mask_outside_the_picture_covers_nothing():
    assert black_box(encode_screenshot(png(white()), [box(500, 10, 20, 20)])) is None


def test_several_masks_are_all_filled():
    stored = encode_screenshot(png(white()), [box(0, 0, 10, 10), box(60, 60, 10, 10)])
    image = decoded(stored)
    assert image.getpixel((5, 5)) == image.getpixel((65, 65)) == BLACK
