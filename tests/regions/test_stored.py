import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from crosstask.errors import DataError
from crosstask.regions import Slic, read_record, read_regions
from crosstask.regions.stored import MOST_IDS, Record, decode, encode
from crosstask.tasks.targets import Regions

RECORD = Record("slic", {"segments": 100, "compactness": 20.0}, "ab12", "scikit-image 0.26.0")


def ids_with(values: list[int]) -> np.ndarray:
    return np.resize(np.array(values, np.int32), (12, 17))


@pytest.mark.parametrize("values", [[-1], [0], [-1, 0, 5], [300, 301, -1], [MOST_IDS - 1, 0, 256]])
def test_ids_and_record_come_back(values: list[int], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(ids_with(values), RECORD))
    regions = read_regions(path)
    assert isinstance(regions, Regions)
    assert regions.dtype == torch.int32
    np.testing.assert_array_equal(regions.numpy(), ids_with(values))
    assert read_record(path) == RECORD


def test_the_file_is_a_16_bit_png_of_id_plus_one() -> None:
    with Image.open(io.BytesIO(encode(ids_with([-1, 0, 700]), RECORD))) as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), ids_with([0, 1, 701]))
        assert json.loads(image.text["crosstask.regions"])["provider"] == "slic"


def test_too_many_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="65535 regions, at most 65534"):
        encode(ids_with([MOST_IDS]), RECORD)


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_files_of_others_need_no_record(mode: str, tmp_path: Path) -> None:
    stored = ids_with([0, 1, 200]).astype(np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(stored)
    if mode == "P":
        image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_regions(tmp_path / "a.png").numpy(), ids_with([-1, 0, 199]))
    assert read_record(tmp_path / "a.png") is None


def with_other_ids(content: bytes) -> bytes:
    """The same record in front of other ids."""
    with Image.open(io.BytesIO(content)) as image:
        text, stored = image.text, np.array(image)
    stored[3, 4] += 1
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def with_record(text: str) -> bytes:
    info = PngInfo()
    info.add_text("crosstask.regions", text)
    buffer = io.BytesIO()
    Image.fromarray(ids_with([1]).astype(np.uint16)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


GOOD = encode(ids_with([0, 1, 2, 500]), RECORD)
BROKEN = {
    "empty": b"",
    "text": b"no picture at all",
    "cut in the header": GOOD[:20],
    "cut in the record": GOOD[:90],
    "cut in the pixels": GOOD[:-30],
    "other ids": with_other_ids(GOOD),
    "flipped bit": bytes(byte ^ (0x10 if index == len(GOOD) - 30 else 0) for index, byte in enumerate(GOOD)),
    "record is no JSON": with_record("{"),
    "record is a list": with_record("[1]"),
    "record lacks fields": with_record("{}"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_found_out(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert read_record(path) is None
    with pytest.raises(DataError, match=r"a\.png: broken regions .* run crosstask regions") as caught:
        read_regions(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_never_gives_other_ids() -> None:
    refused = 0
    for length in range(len(GOOD)):
        try:
            ids, _ = decode(GOOD[:length])
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(ids, ids_with([0, 1, 2, 500]))
    assert refused > len(GOOD) - 40  # only the closing bytes hold nothing


def test_colour_pictures_and_missing_files_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "rgb.png")
    with pytest.raises(DataError, match="its pixels are RGB"):
        read_regions(tmp_path / "rgb.png")
    with pytest.raises(DataError, match="No such file"):
        read_regions(tmp_path / "none.png")


def test_records_differ_by_provider_parameters_source_and_format_but_not_by_library() -> None:
    assert RECORD.same(replace(RECORD, library="scikit-image 9.9"))
    for field, value in [("provider", "grid"), ("parameters", {"segments": 99}), ("source", "cd"), ("format", 99)]:
        assert not RECORD.same(replace(RECORD, **{field: value}))
    assert Record.of(Slic(), b"a").same(Record.of(Slic(compactness=20), b"a"))
    assert not Record.of(Slic(), b"a").same(Record.of(Slic(), b"b"))
