"""Decoding: every mode of picture keeps its values, and broken or monstrous files get one clear line."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.data.decode import files as decode
from crosstask.data.decode.files import image_size, load_image, load_label, load_regions
from crosstask.errors import DataError


def png(path: Path, width: int, height: int, depth: int, colour: int, rows: bytes) -> Path:
    """A PNG file written by hand, for the kinds that Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def complaint(load, path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert message.count(str(path)) == 1
    return message


IDS = np.arange(35, dtype=np.uint8).reshape(5, 7)


def test_labels_keep_their_values(tmp_path):
    wide = IDS.astype(np.uint16) * 1871
    bits = IDS % 3 == 0
    palette = Image.fromarray(IDS, "L").convert("P")
    palette.putdata(IDS.flatten().tolist())
    palette.putpalette([255 - i // 3 for i in range(768)])
    colours = np.stack([IDS, IDS + 1, IDS + 2], -1)
    cases = [
        (saved(tmp_path / "grey.png", Image.fromarray(IDS)), IDS),
        (saved(tmp_path / "wide.png", Image.fromarray(wide)), wide),
        (saved(tmp_path / "wide.tif", Image.fromarray(wide)), wide),
        (saved(tmp_path / "bits.png", Image.fromarray(bits)), bits),
        (saved(tmp_path / "palette.png", palette), IDS),
        (saved(tmp_path / "palette.gif", palette), None),
        (saved(tmp_path / "float.tif", Image.fromarray(IDS / np.float32(7))), IDS / np.float32(7)),
        (saved(tmp_path / "colour.png", Image.fromarray(colours)), colours),
        (saved(tmp_path / "alpha.png", Image.fromarray(np.dstack([colours, np.full_like(IDS, 255)]))), colours),
        (saved(tmp_path / "grey_alpha.png", Image.fromarray(np.dstack([IDS, np.full_like(IDS, 9)]), "LA")), IDS),
    ]
    for path, expected in cases:
        found = load_label(path)
        assert found.flags.writeable
        assert found.dtype.isnative
        if expected is not None:
            np.testing.assert_array_equal(found, expected, err_msg=path.name)
            torch.as_tensor(found)
    assert load_label(tmp_path / "wide.png").dtype == np.uint16
    assert load_label(tmp_path / "bits.png").dtype == np.uint8


def test_few_bits_per_pixel(tmp_path):
    path = png(tmp_path / "two_bits_palette.png", 4, 1, 2, 0, b"\0" + bytes([0b00011011]))
    np.testing.assert_array_equal(load_label(path), [[0, 1, 2, 3]])  # Pillow stretches them to 0..255
    path = png(tmp_path / "four_bits.png", 4, 1, 4, 0, b"\0" + bytes([0x0F, 0x73]))
    np.testing.assert_array_equal(load_label(path), [[0, 15, 7, 3]])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_that_says_something_is_refused(tmp_path, mode):
    grey = np.zeros_like(IDS)
    planes = [grey, grey, grey, IDS] if mode == "RGBA" else [grey, IDS]
    path = saved(tmp_path / "a.png", Image.fromarray(np.dstack(planes), mode))
    with pytest.raises(DataError, match=r"alpha channel holds .*getchannel"):
        load_label(path)


def test_colours_of_16_bits_keep_them_all(tmp_path):
    values = (np.arange(2 * 3 * 3, dtype=np.uint16) * 3001).reshape(2, 3, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    np.testing.assert_array_equal(load_label(png(tmp_path / "n.png", 3, 2, 16, 2, rows)), values)
    with_alpha = np.dstack([values, np.full((2, 3), 7, np.uint16)])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in with_alpha)
    np.testing.assert_array_equal(load_label(png(tmp_path / "na.png", 3, 2, 16, 6, rows)), values)
    np.testing.assert_allclose(load_image(tmp_path / "n.png"), values.transpose(2, 0, 1) / 65535, atol=1 / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.dtype(">u2"), bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_keep_their_values(tmp_path, dtype, order):
    values = np.asarray(IDS.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "a.npz", label=values)
    for name in ("a.npy", "a.npz"):
        found = load_label(tmp_path / name)
        np.testing.assert_array_equal(found, values)
        assert found.flags.writeable
        assert found.dtype.isnative


def test_images_are_rgb_floats(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    expected = torch.from_numpy(colours).permute(2, 0, 1) / 255
    rgb = Image.fromarray(colours)
    grey = rgb.convert("L")
    grey_expected = torch.from_numpy(np.array(grey)).expand(3, -1, -1) / 255
    wide = np.array(grey).astype(np.uint16) * 257
    np.save(tmp_path / "hwc.npy", colours)
    np.save(tmp_path / "chw.npy", expected.numpy().astype(np.float64))
    np.save(tmp_path / "grey.npy", np.array(grey))
    cases = {
        saved(tmp_path / "rgb.png", rgb): expected,
        saved(tmp_path / "rgb.bmp", rgb): expected,
        saved(tmp_path / "rgb.webp", rgb, lossless=True): expected,
        saved(tmp_path / "rgba.png", Image.fromarray(np.dstack([colours, colours[..., 0]]))): expected,
        saved(tmp_path / "grey.png", grey): grey_expected,
        saved(tmp_path / "wide.png", Image.fromarray(wide)): grey_expected,
        saved(tmp_path / "bits.png", grey.convert("1")): None,
        saved(tmp_path / "palette.png", rgb.convert("P", palette=Image.Palette.ADAPTIVE)): expected,
        saved(tmp_path / "cmyk.tif", rgb.convert("CMYK")): expected,
        saved(tmp_path / "float.tif", Image.fromarray(np.array(grey) / np.float32(255))): grey_expected,
        tmp_path / "hwc.npy": expected,
        tmp_path / "chw.npy": expected,
        tmp_path / "grey.npy": grey_expected,
    }
    for path, values in cases.items():
        image = load_image(path)
        assert image.shape == (3, 6, 8), path.name
        assert image.dtype == torch.float32
        assert image.is_contiguous()
        assert 0 <= image.min() <= image.max() <= 1
        assert image_size(path) == (6, 8), path.name
        if values is not None:
            torch.testing.assert_close(image.as_subclass(torch.Tensor), values, atol=2e-6, rtol=0, msg=path.name)


def test_orientation_of_the_camera_is_applied(tmp_path):
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0, 0] = 255
    turned = Image.fromarray(np.rot90(upright).copy())  # a quarter turn to the left, as EXIF 6 asks to be undone
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "turned.png", turned, exif=exif)
    assert image_size(path) == (4, 6)
    np.testing.assert_array_equal(load_image(path), upright.transpose(2, 0, 1) / np.float32(255))


def test_regions_are_ids_from_one(tmp_path):
    stored = np.array([[0, 1], [2, 65535]], np.uint16)
    regions = load_regions(saved(tmp_path / "r.png", Image.fromarray(stored)))
    assert regions.dtype == torch.int32
    assert regions.tolist() == [[-1, 0], [1, 65534]]
    np.save(tmp_path / "r.npy", stored.astype(np.int64))
    assert load_regions(tmp_path / "r.npy").tolist() == regions.tolist()
    np.save(tmp_path / "f.npy", stored.astype(np.float32))
    assert "one integer per pixel" in complaint(load_regions, tmp_path / "f.npy")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("load", [load_image, load_label])
def test_truncated_pictures(tmp_path, ending, load):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    path = saved(tmp_path / f"cut.{ending}", Image.fromarray(noise))
    content = path.read_bytes()
    for kept in (0, 3, 20, len(content) // 2):
        path.write_bytes(content[:kept])
        message = complaint(load, path)
        assert "mend the file or blank the cell" in message
        assert "empty" in message if kept == 0 else "empty" not in message


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_truncated_arrays(tmp_path, ending):
    path = tmp_path / f"cut.{ending}"
    (np.save if ending == "npy" else np.savez)(path, IDS)
    content = path.read_bytes()
    for kept in (0, 4, 40, len(content) - 5):
        path.write_bytes(content[:kept])
        complaint(load_label, path)
    path.write_bytes(content[:-5])
    if ending == "npy":
        assert "truncated: 30 of 35 bytes" in complaint(load_label, path)


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object))
    assert "store numbers, not objects" in complaint(load_label, tmp_path / "o.npy")
    np.savez(tmp_path / "o.npz", np.array([print], dtype=object))
    assert "store numbers, not objects" in complaint(load_label, tmp_path / "o.npz")
    np.savez(tmp_path / "two.npz", a=IDS, b=IDS)
    assert "it holds 2 arrays (a.npy, b.npy)" in complaint(load_label, tmp_path / "two.npz")


def test_bombs_are_refused_unread(tmp_path):
    for side in (9_000, 60_000):
        path = png(tmp_path / f"bomb{side}.png", side, side, 8, 0, b"")
        for load in (load_image, load_label, image_size):
            assert "pixels" in complaint(load, path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    (tmp_path / "bomb.npy").write_bytes(header.getvalue())
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    for name in ("bomb.npy", "bomb.npz"):
        for load in (load_image, load_label):
            assert "1000000x1000000" in complaint(load, tmp_path / name)


def test_the_limit_is_inclusive(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", Image.fromarray(IDS))
    monkeypatch.setattr(decode, "PIXEL_LIMIT", IDS.size)
    load_label(path)
    monkeypatch.setattr(decode, "PIXEL_LIMIT", IDS.size - 1)
    assert "7x5 pixels, more than the 34 allowed" in complaint(load_label, path)


def test_missing_and_unreadable_files(tmp_path):
    for load in (load_image, load_label, image_size):
        assert "no such file" in complaint(load, tmp_path / "none.png")
        assert "no such file" in complaint(load, tmp_path / "none.npy")
        assert "cannot be read" in complaint(load, tmp_path)
    (tmp_path / "text.png").write_text("not a picture")
    assert "cannot identify image file" in complaint(load_image, tmp_path / "text.png")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 5, 3), np.nan), "20 pixels are NaN or infinite"),
        (np.where(np.arange(20).reshape(4, 5) == 3, np.inf, 0.5), "1 pixels are NaN"),
        (np.full((4, 5, 3), 128.0), "values from 128 to 128"),
        (np.full((4, 5, 3), -0.5), "values from -0.5"),
        (np.zeros((4, 5, 3), np.int64), "int64"),
        (np.zeros((4, 5, 2), np.uint8), "found 2"),
        (np.zeros((4,), np.uint8), "(4,)"),
        (np.zeros((4, 5, 6, 3), np.uint8), "(4, 5, 6, 3)"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, values, words):
    np.save(tmp_path / "i.npy", values)
    assert words in complaint(load_image, tmp_path / "i.npy")


def test_pictures_that_are_no_labels(tmp_path):
    path = saved(tmp_path / "cmyk.tif", Image.new("CMYK", (4, 4)))
    assert "CMYK" in complaint(load_label, path)


def test_names_with_spaces_and_letters_of_any_script(tmp_path):
    folder = tmp_path / "mein Ordner 画像"
    folder.mkdir()
    for name in ("ä b.png", "'quoted'.png", "emoji 🙂.npy"):
        path = folder / name
        np.save(path, IDS) if name.endswith("npy") else saved(path, Image.fromarray(IDS))
        np.testing.assert_array_equal(load_label(path), IDS)
        assert load_image(path).shape == (3, 5, 7)
        path.write_bytes(b"broken")
        complaint(load_label, path)
