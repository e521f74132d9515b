"""Tables that cannot be."""

from __future__ import annotations

from tests.bad_input.commands import edit, train


def test_missing_table(capsys, data):
    line = train(capsys, data, "--data.table", str(data / "no.csv"))
    assert "no.csv" in line


def test_empty_table(capsys, data):
    (data / "data.csv").write_text("id,image,semantic\n")
    assert "the table is empty" in train(capsys, data)


def test_table_without_image_column(capsys, data):
    (data / "data.csv").write_text("id,picture\n1,a.png\n")
    assert "no column 'image'" in train(capsys, data)


def test_missing_task_column_names_the_nearest(capsys, data):
    line = train(capsys, data, "--tasks.dept", "{kind: depth}")
    assert "no column 'dept'" in line
    assert "'depth'" in line


def test_duplicate_ids(capsys, data):
    edit(data / "data.csv", 1, id="000")
    assert "000" in train(capsys, data)


def test_row_with_too_many_cells(capsys, data):
    with open(data / "data.csv", "a") as file:
        file.write("x,y,z,a,b,c,d,e,f,g,h\n")
    assert "data.csv" in train(capsys, data)


def test_table_that_is_not_text(capsys, data):
    (data / "data.csv").write_bytes(b"\xff\xfe\x00\x81" * 50)
    assert "data.csv" in train(capsys, data)


def test_unknown_table_format(capsys, data):
    (data / "data.xlsx").write_bytes(b"x")
    assert "data.xlsx" in train(capsys, data, "--data.table", str(data / "data.xlsx"))


def test_paths_that_leave_the_folder_are_refused_when_confined(capsys, data):
    edit(data / "data.csv", 0, image="../outside.png")
    assert "outside.png" in train(capsys, data, "--data.confined", "true")


def test_a_split_that_is_not_there(capsys, data):
    assert "'validate'" in train(capsys, data, "--data.train_split", "validate")


def test_a_task_without_any_training_label(capsys, data):
    for row in range(8):
        if row % 4 != 3:
            edit(data / "data.csv", row, depth="")
    line = train(capsys, data)
    assert "task 'depth' has no label" in line
