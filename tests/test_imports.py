from pathlib import Path

import networkx

from tools.imports import draw, imports, rooms

FLOOR = ("tasks", "ops")


def circles(graph: networkx.DiGraph) -> list[list[str]]:
    return [sorted(names) for names in networkx.strongly_connected_components(graph) if len(names) > 1]


def test_no_modules_import_each_other_in_a_circle():
    assert circles(imports()) == []


def test_no_rooms_import_each_other_in_a_circle():
    assert circles(rooms(imports())) == []


def test_the_ground_floor_knows_little():
    helpers = {"ranges"}
    for above, below in imports().edges:
        if above.split(".")[0] in FLOOR:
            assert below.split(".")[0] in {above.split(".")[0], "ops", "tasks", *helpers}, f"{above} imports {below}"


def test_the_picture_is_of_the_code_there_is():
    drawn = (Path(__file__).parents[1] / "docs" / "imports.svg").read_text()
    assert drawn == draw(rooms(imports())), "run: python -m tools.imports docs/imports.svg"


def test_what_follows_from_other_arrows_is_not_drawn():
    picture = draw(rooms(networkx.DiGraph([("a.x", "b"), ("b", "c"), ("a", "c")])))
    assert picture.count("<path") == 2
    assert "a imports b" in picture
