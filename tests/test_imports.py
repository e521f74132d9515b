from pathlib import Path

import networkx

from tools.imports import draw, imports, rooms

FLOOR = ("tasks", "ops")


def test_no_modules_import_each_other_in_a_circle():
    circles = [sorted(names) for names in networkx.strongly_connected_components(imports()) if len(names) > 1]
    assert circles == []


def test_the_ground_floor_knows_little():
    helpers = {"ranges"}
    for above, below in imports().edges:
        if above.split(".")[0] in FLOOR:
            assert below.split(".")[0] in {above.split(".")[0], "ops", "tasks", *helpers}, f"{above} imports {below}"


def test_the_picture_is_of_the_code_there_is():
    drawn = (Path(__file__).parents[1] / "docs" / "imports.svg").read_text()
    assert drawn == draw(rooms(imports())), "run: python -m tools.imports docs/imports.svg"


def test_what_follows_from_other_arrows_is_not_drawn():
    modules = networkx.DiGraph([("a.x", "b"), ("b", "c"), ("a", "c"), ("d", "e"), ("e.x", "d")])
    picture = draw(rooms(modules))
    assert picture.count("<path") == 2
    assert "a imports b" in picture
    assert "d + e" in picture
