"""Screenshots: hashes, differences, thumbnails, and pictures that are none."""

from __future__ import annotations

import json
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from checkpoint_assets.model.errors import ProcessingError
from checkpoint_assets.processing.perceptual_hash import (
    PerceptualHash,
    difference_hash,
    hash_distance,
)
from checkpoint_assets.processing.pixels import changed_pixels, decode_picture
from checkpoint_assets.processing.thumbnail import THUMBNAIL_FILE, Thumbnail
from checkpoint_assets.processing.visual_difference import (
    DIFFERENCE_FILE,
    VisualDifference,
    changed_boxes,
)
from checkpoint_assets_tests.processing.steps import drawn, step


def opened(webp: bytes) -> Image.Image:
    image = Image.open(BytesIO(webp), formats=["WEBP"])
    image.load()
    return image


def compared(before: bytes, after: bytes) -> dict[str, object]:
    both = step(None, after, previous=step(None, before))
    made = VisualDifference().derive(both).columns
    return {**made, **PerceptualHash().derive(both).columns}


def png_of(width: int, height: int) -> bytes:
    """A PNG that says so, and has next to nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_an_equal_picture_is_a_near_duplicate() -> None:
    found = compared(drawn(), drawn())

    assert found["near_duplicate"] is True
    assert found["dhash_distance"] == 0
    assert found["pixels_changed"] == 0
    assert found["changed_boxes"] == "[]"


def test_a_blinking_caret_leaves_a_near_duplicate() -> None:
    found = compared(drawn(), drawn(lambda pen: pen.line((100, 50, 100, 60), fill="black")))

    assert found["near_duplicate"] is True
    assert 0 < float(str(found["pixels_changed"])) < 0.001


def test_lossy_encoding_alone_changes_nothing() -> None:
    def shade(pen: ImageDraw.ImageDraw) -> None:
        for column in range(60, 300):
            pen.line((column, 0, column, 200), fill=(column // 2,) * 3)

    found = compared(drawn(shade), drawn(shade, quality=80))
    assert found["near_duplicate"] is True


def test_a_new_part_of_the_page_is_no_near_duplicate() -> None:
    found = compared(drawn(), drawn(lambda pen: pen.rectangle((100, 50, 199, 99), fill="red")))

    assert found["near_duplicate"] is False
    assert found["pixels_changed"] == pytest.approx(100 * 50 / (320 * 200))


def test_boxes_are_around_what_changed_the_largest_first() -> None:
    def change(pen: ImageDraw.ImageDraw) -> None:
        pen.rectangle((96, 48, 191, 95), fill="red")
        pen.rectangle((240, 160, 250, 170), fill="red")

    found = compared(drawn(), drawn(change))
    assert json.loads(str(found["changed_boxes"])) == [[96, 48, 96, 48], [240, 160, 16, 16]]


def test_a_picture_of_another_size_has_changed_where_only_one_has_pixels() -> None:
    taller = drawn(size=(320, 300))
    changed = changed_pixels(decode_picture(drawn()), decode_picture(taller))

    assert changed.shape == (300, 320)
    assert not changed[:200].any()
    assert changed[200:].all()
    assert compared(drawn(), taller)["near_duplicate"] is False


def test_boxes_end_where_the_picture_ends() -> None:
    assert changed_boxes(np.ones((30, 50), dtype=np.bool_)) == [(0, 0, 50, 30)]


def test_the_difference_picture_marks_what_changed() -> None:
    both = step(
        None,
        drawn(lambda pen: pen.rectangle((96, 48, 191, 95), fill="blue")),
        previous=step(None, drawn()),
    )
    picture = opened(VisualDifference().derive(both).files[DIFFERENCE_FILE][0])

    assert picture.size == (320, 200)
    pixels = np.asarray(picture.convert("RGB"))
    red, green, _ = pixels[70, 140]
    assert red > 180
    assert green < 90
    assert pixels[150, 300].min() > 230


def test_nothing_changed_is_no_difference_picture() -> None:
    both = step(None, drawn(), previous=step(None, drawn(lossless=True, quality=20, method=1)))

    assert dict(VisualDifference().derive(both).files) == {}


def test_the_hash_is_256_bits_and_says_how_far_apart_pictures_are() -> None:
    plain, other = (
        decode_picture(drawn()),
        decode_picture(drawn(lambda pen: pen.ellipse((80, 20, 280, 180), fill="green"))),
    )

    assert len(difference_hash(plain)) == 64
    assert hash_distance(difference_hash(plain), difference_hash(plain)) == 0
    assert hash_distance(difference_hash(plain), difference_hash(other)) > 20
    assert hash_distance("0" * 64, "f" * 64) == 256


def test_the_first_step_has_a_hash_and_nothing_to_compare() -> None:
    assert PerceptualHash().derive(step(None, drawn())).columns.keys() == {"dhash"}
    assert not VisualDifference().validate_input(step(None, drawn()))


@pytest.mark.parametrize("size", [(1280, 800), (390, 4000), (10, 8)])
def test_a_thumbnail_is_at_most_320_pixels_a_side(size: tuple[int, int]) -> None:
    made = Thumbnail().derive(step(None, drawn(size=size)))
    small = opened(made.files[THUMBNAIL_FILE][0])

    assert max(small.size) == min(320, max(size))
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)
    assert (made.columns["screenshot_width"], made.columns["screenshot_height"]) == size


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_of_other_writers_are_read(kind: str) -> None:
    assert decode_picture(drawn(kind=kind, quality=90)).size == (320, 200)


@pytest.mark.parametrize(
    "broken",
    [
        b"no picture",
        drawn()[:40],
        drawn()[:12],
        b"RIFF\xff\xff\xff\x7fWEBPVP8L" + b"\xff" * 100,
        drawn(kind="PNG")[:200],
        drawn(kind="GIF"),
        png_of(8000, 8000),
        png_of(12_000, 12_000),
        png_of(2**31 - 1, 2**31 - 1),
    ],
    ids=["text", "cut", "head", "wild", "cut png", "gif", "64 MP", "144 MP", "exa"],
)
def test_a_broken_or_endless_picture_is_refused(broken: bytes) -> None:
    with pytest.raises(ProcessingError):
        decode_picture(broken)


async def test_a_broken_picture_is_a_failed_result() -> None:
    result = await Thumbnail().process(step(None, b"no picture"))

    assert not result.success
    assert "do not decode" in (result.error or "")
