"""Made-up tables, cells and label files are taken or refused in one line."""

from __future__ import annotations

import numpy as np

from crosstask.data.table.formats import FORMATS
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError
from crosstask.evaluation.sources import file_name
from crosstask.names import require_name
from crosstask.tasks import KINDS, Category, Depth, Disparity, Normals, Saliency, Segmentation, Tagging
from tests.fuzz.made_up import TEXT, hypothesis, one_line, some, st

TASKS = [
    Segmentation("a", classes=3), Depth("b"), Disparity("c"), Normals("d"), Saliency("e"),
    Tagging("f", classes=["x", "y"]), Category("g", classes=["x", "y"]), KINDS["scalars"]("h", names=2),
]  # fmt: skip
LIKELY = st.text(alphabet="image,id\n\"';\t\ufeff{}[]:0ä", max_size=60).map(str.encode)
CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8).map(str.strip)


@some(120)
@hypothesis.given(st.binary(max_size=60) | LIKELY, st.sampled_from(sorted(FORMATS)))
def test_any_file_is_a_table_or_refused(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(content)
    try:
        read_table(path)
    except DataError as error:
        one_line(error, path)


@some(60)
@hypothesis.given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.sampled_from([".csv", ".jsonl"]))
def test_what_is_written_is_read_back(tmp_path_factory, rows, suffix):
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    try:
        table = Table(path, ("image", "note"), [{"image": image, "note": note} for image, note in rows])
    except DataError:
        return
    write_table(table)
    assert read_table(path).rows == table.rows


@some(200)
@hypothesis.given(st.sampled_from(TASKS), TEXT | st.text(alphabet="xy;-?0123.e ", max_size=8))
def test_any_cell_is_a_label_or_refused(task, cell):
    if task.dense:
        return
    try:
        target = task.parse(cell)
        task.check(target)
    except ValueError as error:
        one_line(error)
    else:
        assert tuple(target.shape) == task.shape((4, 4))


@st.composite
def arrays(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    dtype = draw(st.sampled_from(["u1", "u2", "i4", "i8", "f2", "f4", "f8", "bool", "c8", "U3"]))
    kind = draw(st.sampled_from(["zeros", "ones", "noise", "nan"]))
    array = np.ones(shape) if kind == "ones" else np.zeros(shape)
    if kind == "noise":
        array = np.random.default_rng(0).normal(0, 300, shape)
    if kind == "nan" and dtype[0] in "fc":
        array = np.full(shape, np.nan)
    with np.errstate(all="ignore"):
        return array.astype(dtype)


@some(200)
@hypothesis.given(st.sampled_from(TASKS[:5]), arrays())
def test_any_array_is_a_label_or_refused(task, array):
    try:
        target = task.parse(array)
        task.check(target)
    except ValueError as error:
        one_line(error)
    else:
        assert tuple(target.shape) == task.shape(tuple(target.shape[-2:]))


@some(250)
@hypothesis.given(st.text(max_size=20) | TEXT | st.text(alphabet="./\\ a", max_size=8))
def test_no_name_leads_out_of_its_folder(name):
    assert ".." not in file_name(name).split("/")
    assert not file_name(name).startswith("/")
    try:
        taken = require_name(name, "x")
    except ValueError:
        return
    assert taken == name
    assert not set("/\\\0\n") & set(taken)
    assert taken not in (".", "..")
