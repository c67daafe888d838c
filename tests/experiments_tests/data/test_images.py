"""One file at a time: how it is decoded, turned or refused."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from experiments.data.images import MOST_PIXELS, read_image, read_label, read_pair, size_of
from topformer.errors import DataError

HEIGHT, WIDTH = 4, 6
PICTURE = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3) * 3


def png(path: Path, bits: int, colour_type: int, rows: list[bytes], width: int, height: int | None = None) -> Path:
    """A PNG file written by hand (PNG specification, chunks IHDR, IDAT, IEND)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height or len(rows), bits, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def tagged(path: Path, tag: int, pixels: np.ndarray = PICTURE) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    Image.fromarray(pixels).save(path, format="PNG", exif=exif)
    return path


UPRIGHT = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.transpose(1, 0, 2),
    6: np.rot90(PICTURE, -1),
    7: PICTURE[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PICTURE, 1),
    9: PICTURE,
}
"""EXIF 2.32: where row 0 and column 0 of the stored image lie in the picture, by the tag's value; 9 has no meaning."""


@pytest.mark.parametrize("tag", UPRIGHT)
def test_an_image_alone_is_turned_as_its_tag_says(tag: int, tmp_path: Path) -> None:
    assert np.array_equal(read_image(tagged(tmp_path / "a.png", tag)), UPRIGHT[tag])


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_a_label_decides_which_way_an_image_lies(tag: int, tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.png", tag)
    assert np.array_equal(read_image(path, like=(WIDTH, HEIGHT)), UPRIGHT[tag])
    assert np.array_equal(read_image(path, like=(HEIGHT, WIDTH)), PICTURE)


@pytest.mark.parametrize("tag", [2, 3, 4])
def test_beside_a_label_nothing_is_turned_into_its_own_size(tag: int, tmp_path: Path) -> None:
    assert np.array_equal(read_image(tagged(tmp_path / "a.png", tag), like=(HEIGHT, WIDTH)), PICTURE)


def test_beside_a_label_a_square_is_not_turned(tmp_path: Path) -> None:
    square = PICTURE[:, :HEIGHT]
    assert np.array_equal(read_image(tagged(tmp_path / "a.png", 6, square), like=(HEIGHT, HEIGHT)), square)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
def test_an_image_without_readable_tags_is_not_turned(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff broken")
    assert np.array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_16_bits_of_grey_lose_their_lower_8(tmp_path: Path) -> None:
    values = [0x0000, 0x00FF, 0x0100, 0x7F80, 0xFFFF]
    path = png(tmp_path / "a.png", 16, 0, [struct.pack(">5H", *values)], width=5)
    assert read_image(path).tolist() == [[[v >> 8] * 3 for v in values]]


def test_16_bits_of_colour_lose_their_lower_8(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 16, 2, [struct.pack(">3H", 0x12FF, 0x8034, 0xFE00)], width=1)
    assert read_image(path).tolist() == [[[0x12, 0x80, 0xFE]]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_are_refused(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (6, 4)).save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match=rf"a.png holds numbers of 32 bits \(mode {mode}\); accepted: 8 or 16 bits"):
        read_image(tmp_path / "a.png")


def test_alpha_is_left_out_and_grey_repeated(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([PICTURE, np.full((HEIGHT, WIDTH), 3, np.uint8)])).save(tmp_path / "rgba.png")
    assert np.array_equal(read_image(tmp_path / "rgba.png"), PICTURE)
    Image.merge("LA", [Image.new("L", (6, 4), 70), Image.new("L", (6, 4), 3)]).save(tmp_path / "la.png")
    assert (read_image(tmp_path / "la.png") == 70).all()


def test_a_palette_gives_its_colours_transparent_or_not(tmp_path: Path) -> None:
    picture = Image.new("P", (6, 4), 1)
    picture.putpalette([9, 9, 9, 200, 100, 50])
    picture.save(tmp_path / "p.png", transparency=b"\x00\x10")
    assert (read_image(tmp_path / "p.png") == [200, 100, 50]).all()


def test_inks_are_taken_from_white(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - [0, 255, 255]).max() <= 2


@pytest.mark.parametrize(("mode", "said"), [("RGB", "mode RGB"), ("I;16", "mode I;16"), ("1", "mode 1")])
def test_a_label_of_another_kind_is_refused(mode: str, said: str, tmp_path: Path) -> None:
    Image.new(mode, (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=f"one channel of 8 bits, got {said}"):
        read_label(tmp_path / "a.png")


def test_a_label_of_4_bits_is_read_from_a_palette_and_refused_as_grey(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one channel of 8 bits, got grey of 4 bits"):
        read_label(png(tmp_path / "grey.png", 4, 0, [b"\x1b"], width=2))
    picture = Image.new("P", (2, 1))
    picture.putpalette([7, 7, 7] * 16)
    picture.putdata([1, 11])
    picture.save(tmp_path / "p.png", bits=4)
    assert read_label(tmp_path / "p.png").tolist() == [[1, 11]]


def test_one_pixel_is_an_image_with_a_label(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    Image.new("L", (1, 1), 7).save(tmp_path / "b.png")
    image, label = read_pair(tmp_path / "a.png", tmp_path / "b.png")
    assert (image.tolist(), label.tolist()) == ([[[1, 2, 3]]], [[7]])


def test_a_pair_of_two_sizes_is_refused_whichever_way_it_is_turned(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"label.png is 5 x 4 px, its image .*a.png is 6 x 4"):
        read_pair(tagged(tmp_path / "a.png", 6), tmp_path / "label.png")


@pytest.mark.parametrize("read", [read_image, read_label, size_of])
def test_an_image_that_is_too_large_is_refused_by_its_head(read: object, tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 8, 0, [b""], width=13_000, height=13_000)
    assert MOST_PIXELS < 13_000**2
    with pytest.raises(DataError, match=r"a.png is 13000 x 13000 px; accepted: up to 67,108,864 pixels"):
        read(path)  # type: ignore[operator]


def test_an_image_that_is_too_long_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (200, 2)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (2, 200, 3)
    Image.new("RGB", (3000, 2)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b.png is 3000 x 2 px; accepted: up to 100 times as long as wide"):
        read_image(tmp_path / "b.png")


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(DataError, match="it is not a regular file"):
            read_image(path)


def test_a_file_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    whole = tagged(tmp_path / "a.png", 6).read_bytes()
    # The last 20 bytes are two check sums and the end mark, behind all pixels.
    for length in range(len(whole) - 20):
        (tmp_path / "a.png").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a.png cannot be read"):
            read_image(tmp_path / "a.png")
