from __future__ import annotations

import pytest

from crosstask.errors import RecipeError
from crosstask.rounds.roles import Roles
from crosstask.tasks import KINDS


def tasks(classes=("box", "background", "cat"), tags=("cat", "box"), **more):
    return {
        "semantic": KINDS["segmentation"]("semantic", classes=list(classes)),
        "tags": KINDS["tags"]("tags", classes=list(tags)),
        **more,
    }


def test_classes_of_tags_go_by_name():
    roles = Roles.of(tasks(figure=KINDS["saliency"]("figure"), depth=KINDS["depth"]("depth")))
    assert (roles.classes, roles.background) == ([2, 0], 1)
    assert (roles.segmentation.name, roles.tags.name, roles.saliency.name) == ("semantic", "tags", "figure")
    assert Roles.of(tasks()).saliency is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tasks(tags=["cats", "box"]), r"tasks\.tags: the tag 'cats' is no class of semantic; did you mean 'cat'"),
        (tasks(tags=["cat"]), r"tasks\.semantic: needs one class that is no tag, the background, found box, backg"),
        (tasks(classes=["box", "cat"]), r"tasks\.semantic: needs one class that is no tag.* found none"),
        (
            tasks()
            | {"semantic": KINDS["segmentation"]("semantic", classes=["box", "ground", "cat"], remap={1: 0, 2: 1})},
            r"tasks\.semantic\.remap: no id stands for the class 'cat'",
        ),
        ({"tags": tasks()["tags"]}, "tasks: refine needs one task of kind segmentation, found none"),
        (
            tasks(a=KINDS["saliency"]("a"), b=KINDS["saliency"]("b")),
            "tasks: refine needs one task of kind saliency, found a, b",
        ),
    ],
)
def test_what_does_not_fit_is_said(given, message):
    with pytest.raises(RecipeError, match=message):
        Roles.of(given)
