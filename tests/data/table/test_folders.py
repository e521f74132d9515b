import json
from pathlib import Path

import pytest

from crosstask.data.table.folders import make_table, table_from_folders
from crosstask.data.table.table import read_table
from crosstask.errors import DataError
from tests.shared import shared


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def cells(listing, column: str) -> list[str]:
    return [row[column] for row in listing.table.rows]


def test_files_are_matched_by_stem_and_missing_labels_are_blank(tmp_path):
    touch(tmp_path, "rgb/1.jpg", "rgb/2.jpg", "rgb/3.jpg", "mask/1.png", "mask/3.png", "mask/9.png", "rgb/notes.txt")
    listing = table_from_folders(tmp_path, {"image": "rgb/*.jpg", "semantic": "mask/*.png"}, split="train")
    assert listing.table.columns == ("id", "image", "split", "semantic")
    assert listing.table.ids == ["1", "2", "3"]
    assert cells(listing, "image") == ["rgb/1.jpg", "rgb/2.jpg", "rgb/3.jpg"]
    assert cells(listing, "semantic") == ["mask/1.png", "", "mask/3.png"]
    assert cells(listing, "split") == ["train"] * 3
    match = listing.matches["train"]["semantic"]
    assert (match.labelled, match.unlabelled, match.unmatched) == (2, ["2"], ["mask/9.png"])
    assert "semantic: 2 of 3 images; images without: 2; labels without an image: mask/9.png" in str(listing)


@pytest.mark.parametrize(
    ("images", "labels", "image", "label", "ids"),
    [
        # the layout of Cityscapes: suffixes differ, the wildcards stand for the same
        (
            ["l/a/a_1_left.png", "l/b/b_1_left.png"],
            ["g/a/a_1_gt.png", "g/b/b_1_gt.png"],
            "l/*/*_left.png",
            "g/*/*_gt.png",
            ["a_1_left", "b_1_left"],
        ),
        # one folder per sample: all stems are equal
        (["s1/rgb.png", "s2/rgb.png"], ["s1/depth.png", "s2/depth.png"], "*/rgb.png", "*/depth.png", ["s1", "s2"]),
        # the same stem in several scenes
        (["s1/i/0.png", "s2/i/0.png"], ["s1/d/0.png", "s2/d/0.png"], "*/i/*.png", "*/d/*.png", ["s1/0", "s2/0"]),
        # any depth
        (["x/y/0.png", "1.png"], ["d/x/y/0.png", "d/1.png"], "[!d]**/**/*.png", "d/**/*.png", ["0"]),
        (["i/x/y/0.png", "i/1.png"], ["d/x/y/0.png", "d/1.png"], "i/**/*.png", "d/**/*.png", ["1", "0"]),
        # wildcards differ, stems agree
        (["i/im_1.jpg"], ["d/im_1.png"], "i/im_*.jpg", "d/*.png", ["im_1"]),
        (["i/é [1] 1.jpg"], ["d/é [1] 1.png"], "i/*.jpg", "d/*?[0-9].png", ["é [1] 1"]),
    ],
)
def test_names_that_match(tmp_path, images, labels, image, label, ids):
    touch(tmp_path, *images, *labels)
    listing = table_from_folders(tmp_path, {"image": image, "depth": label})
    assert listing.table.ids == ids
    for row in listing.table.rows:
        image_of = dict(zip(images, labels, strict=True))
        assert row["depth"] == image_of[row["image"]]


@pytest.mark.parametrize(
    ("images", "labels", "patterns", "expected"),
    [
        # numbers of frames that no two scenes share
        (
            ["a/rgb/1.jpg", "b/rgb/2.jpg", "c/rgb/3.jpg"],
            ["a/mask/1.png", "b/mask/3.png", "c/mask/2.png"],
            ("*/rgb/*.jpg", "*/mask/*.png"),
            ["a/mask/1.png", "", ""],
        ),
        # a wildcard of one pattern alone: who drew the mask
        (
            ["a/rgb/1.jpg", "b/rgb/1.jpg", "c/rgb/1.jpg"],
            ["anna/b/mask/1.png", "ben/a/mask/1.png"],
            ("*/rgb/*.jpg", "*/*/mask/*.png"),
            ["ben/a/mask/1.png", "anna/b/mask/1.png", ""],
        ),
        # folders that have nothing in common
        (["p1/1.jpg", "p2/2.jpg"], ["anna/2.png", "ben/1.png"], ("p*/*.jpg", "*/*.png"), ["ben/1.png", "anna/2.png"]),
        # a part of a folder's name
        (["i_a/1.jpg", "i_b/2.jpg"], ["m_a/1.png", "m_a/2.png"], ("i_*/*.jpg", "m_*/*.png"), ["m_a/1.png", ""]),
        # no wildcards for the folders of the images
        (["rgb/1.jpg", "rgb/2.jpg"], ["rgb/1.png", "m/2.png"], ("rgb/*.jpg", "*/*.png"), ["rgb/1.png", "m/2.png"]),
    ],
)
def test_labels_in_the_folder_of_another_scene_are_no_match(tmp_path, images, labels, patterns, expected):
    touch(tmp_path, *images, *labels)
    listing = table_from_folders(tmp_path, dict(zip(("image", "semantic"), patterns, strict=True)))
    assert cells(listing, "semantic") == expected


def test_labels_that_are_all_in_the_folders_of_other_scenes_are_an_error(tmp_path):
    touch(tmp_path, "a/rgb/1.jpg", "b/rgb/2.jpg", "a/mask/2.png", "b/mask/1.png")
    with pytest.raises(DataError, match="folders that both have wildcards for"):
        table_from_folders(tmp_path, {"image": "*/rgb/*.jpg", "semantic": "*/mask/*.png"})


def test_cells_are_relative_to_the_table(tmp_path):
    touch(tmp_path, "data set/rgb/1.jpg", "data set/d/1.png")
    out = tmp_path / "tables" / "t.csv"
    make_table(tmp_path / "data set", {"image": "rgb/*.jpg", "depth": "d/*.png"}, out)
    table = read_table(out)
    assert table.rows[0]["image"] == "../data set/rgb/1.jpg"
    assert table.resolve(0, "depth").is_file()


def test_splits_in_one_go_equal_splits_one_after_the_other(tmp_path):
    touch(tmp_path, "train/rgb/1.jpg", "train/rgb/2.jpg", "test/rgb/2.jpg", "train/d/1.png", "test/d/2.png")
    patterns = {"image": "{split}/rgb/*.jpg", "depth": "{split}/d/*.png"}
    make_table(tmp_path, patterns, tmp_path / "a.csv", ["train", "test"])
    for split in ("train", "test"):
        named = {name: pattern.replace("{split}", split) for name, pattern in patterns.items()}
        make_table(tmp_path, named, tmp_path / "b.csv", [split], append=split == "test")
    first, second = read_table(tmp_path / "a.csv"), read_table(tmp_path / "b.csv")
    assert first.rows == second.rows
    assert first.ids == ["1", "2", "test/2"]
    assert [row["split"] for row in first.rows] == ["train", "train", "test"]


def test_constants_are_in_every_row(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg")
    make_table(tmp_path, {"image": "a/*.jpg"}, tmp_path / "t.csv", constants={"fx": 218.46648470315787, "cx": 130})
    table = read_table(tmp_path / "t.csv")
    assert [(row["fx"], row["cx"]) for row in table.rows] == [("218.4664847", "130")] * 2


def test_appending_adds_columns(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg", "d/2.png")
    make_table(tmp_path, {"image": "a/*.jpg"}, tmp_path / "t.csv")
    listing = make_table(tmp_path, {"image": "b/*.jpg", "depth": "d/*.png"}, tmp_path / "t.csv", append=True)
    assert cells(listing, "depth") == ["", "d/2.png"]


def test_labels_from_json(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg", "3.jpg", "4.jpg")
    content = {"1": [0, 5], "2": [], "3": None, "7": ["cat"], "4": ["cat", "dog"]}
    (tmp_path / "tags.json").write_text(json.dumps(content))
    listing = table_from_folders(tmp_path, {"image": "*.jpg", "tags": "tags.json"})
    assert cells(listing, "tags") == ["[0, 5]", "-", "", "cat;dog"]
    assert listing.matches[""]["tags"].unmatched == ["7"]


def test_a_folder_of_labels_for_all_splits_tells_them_apart(tmp_path):
    touch(tmp_path, "train/1.jpg", "test/2.jpg", "masks/1.png", "masks/2.png", "masks/7.png")
    patterns = {"image": "{split}/*.jpg", "semantic": "masks/*.png"}
    listing = make_table(tmp_path, patterns, tmp_path / "t.csv", ["train", "test"])
    assert [row["semantic"] for row in listing.table.rows] == ["masks/1.png", "masks/2.png"]
    assert [line.rpartition("; ")[2] for line in str(listing).splitlines()[1:]] == [
        "labels without an image: masks/7.png"
    ] * 2
    touch(tmp_path, "test/1.jpg")
    with pytest.raises(
        DataError, match=r"--semantic masks/\*.png: 'masks/1.png' fits an image in train and another in test"
    ):
        make_table(tmp_path, patterns, tmp_path / "both.csv", ["train", "test"])


def test_what_one_file_says_of_another_split_is_not_told_as_lost(tmp_path):
    touch(tmp_path, "train/1.jpg", "test/2.jpg")
    (tmp_path / "tags.json").write_text(json.dumps({"1": ["cat"], "2": [], "7": ["dog"]}))
    listing = make_table(
        tmp_path, {"image": "{split}/*.jpg", "tags": "tags.json"}, tmp_path / "t.csv", ["train", "test"]
    )
    assert [line.rpartition("; ")[2] for line in str(listing).splitlines()[1:]] == ["labels without an image: 7"] * 2


def test_blank_cells_of_several_columns_are_unknown_tags(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    (tmp_path / "l.csv").write_text("name,furry,size\n1,,small\n2,0,\n3,,\n")
    listing = table_from_folders(tmp_path, {"image": "*.jpg", "traits": "l.csv:*"})
    assert cells(listing, "traits") == ["?furry;size=small", "?size=small", ""]


def test_labels_from_columns(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    (tmp_path / "l.csv").write_text("id,kind,size,furry,tame\n1,cat,small,1,1\n2,fish,big,0,0\n")
    patterns = {"image": "*.jpg", "kind": "l.csv:kind", "traits": "l.csv:*"}
    listing = table_from_folders(tmp_path, patterns)
    assert cells(listing, "kind") == ["cat", "fish", ""]
    assert cells(listing, "traits") == ["size=small;furry;tame", "size=big", ""]
    listing = table_from_folders(tmp_path, {"image": "*.jpg", "some": "l.csv:furry,tame"})
    assert cells(listing, "some") == ["furry;tame", "-", ""]


FILES = ("rgb/1.jpg", "rgb/2.jpg", "mask/1.png")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"semantic": "mask/*.png"}, "--image is missing"),
        ({"image": "rgb/*.bmp"}, r"--image rgb/\*.bmp: no file"),
        ({"image": "rgb/*.jpg", "depth": "depth/*.png"}, r"--depth depth/\*.png: no file"),
        ({"image": "rgb/2.jpg", "semantic": "mask/*.png"}, "none of 1 files"),
        ({"image": "rgb/*.jpg", "split": "mask/*.png"}, r"--split mask/\*.png: split has a meaning"),
        ({"image": "rgb/*.jpg", "tags": "nothing.json"}, "no file"),
        ({"image": "rgb/*.jpg", "tags": "list.json"}, "holds a list"),
        ({"image": "rgb/*.jpg", "tags": "broken.json"}, "not a valid JSON"),
        ({"image": "rgb/*.jpg", "tags": "others.json"}, "none of 1 ids"),
        ({"image": "rgb/*.jpg", "kind": "labels.csv:knd"}, "did you mean 'kind'"),
        ({"image": "rgb/*.jpg", "kind": "twice.csv:kind"}, "id '1' is there twice"),
    ],
)
def test_what_cannot_be_matched_is_one_line(tmp_path, patterns, message):
    touch(tmp_path, *FILES)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text('{"1": ')
    (tmp_path / "others.json").write_text('{"8": [1]}')
    (tmp_path / "labels.csv").write_text("id,kind\n1,cat\n")
    (tmp_path / "twice.csv").write_text("id,kind\n1,cat\n1,dog\n")
    with pytest.raises(DataError, match=message) as raised:
        table_from_folders(tmp_path, patterns)
    assert "\n" not in str(raised.value)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        table_from_folders(tmp_path / "none", {"image": "*.jpg"})


def test_an_existing_table_is_neither_overwritten_nor_doubled(tmp_path):
    touch(tmp_path, *FILES)
    patterns, out = {"image": "rgb/*.jpg"}, tmp_path / "t.csv"
    make_table(tmp_path, patterns, out)
    before = out.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        make_table(tmp_path, patterns, out)
    with pytest.raises(DataError, match="in the table already"):
        make_table(tmp_path, patterns, out, append=True)
    with pytest.raises(DataError, match="several splits need"):
        make_table(tmp_path, patterns, tmp_path / "new.csv", ["train", "test"])
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "splits", "patterns", "rows", "labels"),
    [
        ("nyuv2", "train test", {"depth": "depth/*.png", "normal": "normal/*.jpg"}, 1239, 1239 * 2),
        ("camvid", "train val test", {"semantic": "semseg/*.png"}, 623, 623),
        ("ccp", "train test", {"semantic": "semseg13/*.png", "tags": "tags.json"}, 1314, 914 + 1314),
        ("horses", "train test", {"saliency": "saliency/*.png"}, 292, 292),
        ("wbcatt", "train val test", {"category": ".csv:label", "traits": ".csv:*"}, 4300, 4300 * 2),
        ("tools_rgbd", "train test", {"semantic": "semseg/*.png", "depth": "depth/*.png"}, 310, 310 * 2 - 84),
    ],
)  # fmt: skip
def test_real_sets(tmp_path, name, splits, patterns, rows, labels):
    def whole(pattern: str) -> str:
        return pattern if pattern == "tags.json" else f"{{split}}{'' if pattern[0] == '.' else '/'}{pattern}"

    patterns = {"image": "{split}/rgb/*.*"} | {task: whole(pattern) for task, pattern in patterns.items()}
    listing = make_table(shared(f"data/{name}"), patterns, tmp_path / "t.csv", splits.split())
    table = read_table(tmp_path / "t.csv")
    assert len(table) == rows
    assert table.splits == splits.split()
    assert sum(match.labelled for matches in listing.matches.values() for match in matches.values()) == labels
    for column in table.file_columns():
        assert all(not row[column] or table.resolve(i, column).is_file() for i, row in enumerate(table.rows))


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([[3, 7, 7], [1]], ["[3, 7]", "[1]"]),
        ([["dog", "cat", "dog"], []], ["dog;cat", "-"]),
        ([[1, 0, 1], [0, 0, 1]], ["[1, 0, 1]", "[0, 0, 1]"]),
    ],
)
def test_a_tag_that_is_listed_twice_counts_once_where_lists_are_no_vectors(lists, expected, tmp_path):
    (tmp_path / "tags.json").write_text(json.dumps({str(index): each for index, each in enumerate(lists)}))
    touch(tmp_path, "0.jpg", "1.jpg")
    listing = table_from_folders(tmp_path, {"image": "*.jpg", "tags": "tags.json"})
    assert cells(listing, "tags") == expected
