from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.adapters import convert
from crosstask.data.adapters.preprocessed import NyuV2Preprocessed
from crosstask.data.decode.files import load_regions
from crosstask.data.options import DataOptions
from crosstask.data.table.regions_column import add_regions
from crosstask.data.table.table import read_table
from crosstask.engine import Engine
from crosstask.errors import DataError, RunError
from crosstask.regions import Given, Grid, read_regions
from crosstask.splits import shown_masks
from tests.data.adapters import fake_preprocessed
from tests.tiny import write_tiny

HERE = Engine(workers=0)


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for index, name in enumerate(["rgb/a.png", "rgb/b.png", "mehr bilder/ü.png", "../beside/a.png"]):
        picture(folder / name, index)
    mask = np.zeros((12, 16), np.uint8)
    mask[:, 4:8], mask[:, 12:] = 1, 255
    (folder / "mask").mkdir()
    Image.fromarray(mask).save(folder / "mask" / "a.png")
    path = folder / "data.csv"
    path.write_text(
        "image,split,semantic\nrgb/a.png,train,mask/a.png\nrgb/b.png,train,\nmehr bilder/ü.png,val,\n"
        "../beside/a.png,test,\n",
        encoding="utf-8",
    )
    return path


def test_the_table_gets_a_column_that_names_the_files(table: Path) -> None:
    before = table.read_bytes()
    made = add_regions(table, Grid(patch=4), engine=HERE)
    assert (made.made, made.kept, made.table) == (4, 0, table.with_name("data_regions.csv"))
    written = read_table(table.with_name("data_regions.csv"))
    assert [row["regions"] for row in written.rows] == [
        "regions/grid/rgb/a.png.png",
        "regions/grid/rgb/b.png.png",
        "regions/grid/mehr bilder/ü.png.png",
        "regions/grid/__/beside/a.png.png",
    ]
    assert [(row["image"], row["split"]) for row in written.rows] == [
        (row["image"], row["split"]) for row in read_table(table).rows
    ]
    expected = np.arange(12)[:, None] // 4 * 4 + np.arange(16) // 4
    for row in range(4):
        path = written.resolve(row, "regions")
        np.testing.assert_array_equal(read_regions(path).numpy(), expected)
        np.testing.assert_array_equal(load_regions(path).numpy(), expected)
    assert table.read_bytes() == before


def test_a_second_run_makes_nothing(table: Path) -> None:
    add_regions(table, Grid(), engine=HERE)
    made = add_regions(table, Grid(), engine=HERE)
    assert (made.made, made.kept) == (0, 4)


def test_the_table_may_be_replaced_and_the_column_renewed(table: Path) -> None:
    add_regions(table, Grid(), engine=HERE, table_out=table)
    add_regions(table, Grid(patch=4), out=table.parent / "fine", engine=HERE, table_out=table)
    written = read_table(table)
    assert written.columns.count("regions") == 1
    assert written.rows[0]["regions"] == "fine/rgb/a.png.png"


def test_files_and_table_elsewhere_still_find_each_other(table: Path, tmp_path: Path) -> None:
    add_regions(table, Grid(), out=tmp_path / "cache", engine=HERE, table_out=tmp_path / "tables" / "all.jsonl")
    written = read_table(tmp_path / "tables" / "all.jsonl")
    assert written.rows[0]["regions"] == "../cache/rgb/a.png.png"
    assert all(written.resolve(row, column).is_file() for row in range(4) for column in ("image", "regions"))


def test_unreadable_images_are_listed_by_row_and_the_rest_is_kept(table: Path) -> None:
    (table.parent / "rgb" / "b.png").write_bytes(b"broken")
    (table.parent / "mehr bilder" / "ü.png").unlink()
    with pytest.raises(RunError, match=r"^2 of 4 region maps .*row 'b': .*b\.png.*; row 'ü': .*ü\.png") as caught:
        add_regions(table, Grid(), engine=HERE)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    written = read_table(table.with_name("data_regions.csv"))
    assert [bool(row["regions"]) for row in written.rows] == [True, False, False, True]


def test_a_long_list_of_failures_is_cut(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("image\n" + "".join(f"{index}.png\n" for index in range(30)))
    with pytest.raises(RunError, match=r"and 10 more$"):
        add_regions(tmp_path / "data.csv", Grid(), engine=HERE)


def test_given_regions_come_from_a_label_column(table: Path) -> None:
    made = add_regions(table, Given("semantic"), engine=HERE)
    assert made.made == 1
    written = read_table(table.with_name("data_regions.csv"))
    assert [row["regions"] for row in written.rows] == ["regions/given/mask/a.png.png", "", "", ""]
    np.testing.assert_array_equal(
        read_regions(written.resolve(0, "regions")).numpy(), np.repeat([[0, 1, 2, -1]], 12, axis=0).repeat(4, axis=1)
    )


def test_rows_that_share_an_image_share_its_regions(table: Path) -> None:
    table.write_text("id,image\n1,rgb/a.png\n2,rgb/b.png\n3,./rgb/a.png\n")
    assert add_regions(table, Grid(), engine=HERE).made == 2
    written = read_table(table.with_name("data_regions.csv"))
    assert written.rows[0]["regions"] == written.rows[2]["regions"]


def test_a_missing_column_is_named_with_the_nearest(table: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'semantik'.*did you mean 'semantic'"):
        add_regions(table, Given("semantik"), engine=HERE)


def test_the_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 12)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "data.csv").write_text("image\nturned.jpg\n")
    add_regions(tmp_path / "data.csv", Grid(), engine=HERE)
    assert read_regions(tmp_path / "regions/grid/turned.jpg.png").shape == (16, 12)


@pytest.mark.parametrize("turn", [1, 6], ids=["as it is seen", "as it is stored"])
def test_a_label_lies_over_an_image_that_its_camera_turns_as_the_task_reads_it(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 12)).save(tmp_path / "turned.jpg", exif=exif)
    seen = np.zeros((16, 12), np.uint8)
    seen[10:] = 1
    Image.fromarray(np.rot90(seen) if turn == 6 else seen).save(tmp_path / "mask.png")
    (tmp_path / "data.csv").write_text("image,semantic\nturned.jpg,mask.png\n")
    add_regions(tmp_path / "data.csv", Given("semantic"), engine=HERE)
    assert read_regions(tmp_path / "regions/given/mask.png.png").tolist() == seen.tolist()


@pytest.mark.parametrize("recipe", [[], ["--recipe", "nyuv2_npy"]])
def test_labels_that_are_stored_as_floats_make_regions(tmp_path, capsys, recipe):
    """Masks of the preprocessed NYU-v2 are float32 arrays with -1 for unknown."""
    fake_preprocessed.write_nyuv2(tmp_path, train=2, test=1)
    table = convert(NyuV2Preprocessed(str(tmp_path)), tmp_path / "nyuv2.csv", workers=1).table.path
    assert main(["regions", str(table), "--by", "given", "--column", "semantic", "--workers", "1", *recipe]) == 0
    assert "semantic show the masks of every image: train on them with data.labels: full" in capsys.readouterr().err
    made = read_table(tmp_path / "nyuv2_regions.csv")
    for index, row in enumerate(made.rows):
        labels = np.load(made.resolve(index, "semantic"))
        ids = load_regions(made.resolve(index, "regions")).numpy()
        np.testing.assert_array_equal(ids < 0, labels < 0)
        assert all(len(np.unique(labels[ids == one])) == 1 for one in np.unique(ids[ids >= 0]))
        assert row["regions"].startswith("regions/given/")
    options = DataOptions(table=str(table), regions=True, labels="one")
    assert "show masks that data.labels: one hides" in str(shown_masks(made, options))
    assert shown_masks(made, replace(options, labels="full")) is None
    assert main(["regions", str(table), "--by", "given", "--column", "semantic", "--workers", "1", *recipe]) == 0
    assert "made 0, kept 3" in capsys.readouterr().out


def test_a_recipe_says_how_labels_are_read(tmp_path, capsys):
    table = write_tiny(tmp_path)
    for arguments, message in (
        (["--by", "slic", "--recipe", "demo"], "only regions by given read labels"),
        (["--by", "given", "--column", "semntic", "--recipe", "demo"], "no segmentation task 'semntic'; did you mean"),
    ):
        assert main(["regions", str(table), *arguments]) == 2
        assert message in capsys.readouterr().err
