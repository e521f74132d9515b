"""What is wrong in a class of the user's own is said of it, with its line; a fault of the package is said to be one."""

from __future__ import annotations

import sys

import pytest

from crosstask.cli import main
from crosstask.own_code import own_fault
from tests.tiny import write_recipe, write_tiny

CODE = """
import torch.nn.functional as F
from torch.utils.data import get_worker_info
from crosstask.objectives import Objective
from crosstask.tasks import Depth, Term

class Own(Objective):
    def __init__(self, tasks, network):
        super().__init__()

class Misspelt(Own):
    def forward(self, step):
        return {"depth": step.predictions["depht"]}

class InALibrary(Own):
    def forward(self, step):
        return {"depth": F.interpolate(step.predictions["depth"])}

class Mean(Own):
    def forward(self, step):
        return {"depth": step.predictions["depth"].mean()}

class Unsummed(Own):
    def forward(self, step):
        depth = step.predictions["depth"]
        return {"depth": Term(depth, depth.new_tensor(depth.numel()))}

class Counted(Own):
    def forward(self, step):
        depth = step.predictions["depth"]
        return {"depth": Term(depth.sum(), depth.numel())}

class Bare(Own):
    def forward(self, step):
        return step.predictions["depth"].mean()

class Nothing(Own):
    def forward(self, step):
        return {}

class Unread(Depth):
    def parse(self, stored):
        raise RuntimeError("a file is not what it should be")

class UnreadInAWorker(Depth):
    def parse(self, stored):
        if get_worker_info() is None:
            return super().parse(stored)
        raise RuntimeError("a file is not what it should be")
"""


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    """Trains a recipe with a class of the user's own; gives the exit code and what was said."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/own_parts.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path / "code")
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))

    def train(*flags: str) -> tuple[int, str]:
        code = main(["train", str(recipe), "--out", str(tmp_path / "run"), "--trust", "--quiet", *flags])
        return code, capsys.readouterr().err

    yield train
    sys.modules.pop("own_parts", None)


def own(name: str) -> tuple[str, str]:
    return "--objectives", f"{{mine: {{class_path: own_parts.{name}}}}}"


@pytest.mark.parametrize(
    ("name", "line", "said"), [("Misspelt", 13, "KeyError: 'depht'"), ("InALibrary", 17, "ValueError: either size or")]
)
def test_an_error_in_own_code_is_said_with_its_line(trained, name, line, said):
    code, message = trained(*own(name))
    assert code == 1
    assert f"own_parts.py, line {line}, in forward: {said}" in message
    assert "fault of crosstask" not in message


@pytest.mark.parametrize(("name", "line", "workers"), [("Unread", 43, 0), ("UnreadInAWorker", 49, 1)])
def test_an_error_in_an_own_task_is_said_wherever_labels_are_read(trained, tmp_path, name, line, workers):
    recipe = (tmp_path / "recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(recipe.replace("{kind: depth}", f"{{class_path: own_parts.{name}}}"))
    code, message = trained("--data.workers", str(workers))
    assert code == 1
    assert f"own_parts.py, line {line}, in parse: RuntimeError: a file is not what it should be (" in message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mean", "objectives.mine: term 'depth' is tensor("),
        ("Unsummed", "objectives.mine: term 'depth' is Term(total=tensor([[[["),
        ("Counted", "objectives.mine: term 'depth' is Term(total=tensor("),
        ("Bare", "objectives.mine: forward returned tensor("),
        ("Nothing", "objectives: none of them returned a term"),
    ],
)
def test_what_is_no_term_is_said_with_its_key(trained, name, said):
    code, message = trained(*own(name))
    assert code == 2
    assert said in message
    assert "Term" in message.partition(": return ")[2]


def test_a_fault_of_the_package_is_said_to_be_one(trained, monkeypatch):
    monkeypatch.setattr("crosstask.learner.learner.replace", None)
    code, message = trained("--objectives", "supervised", "--objectives.supervised.control", "true")
    assert (code, "fault of crosstask" in message) == (1, True)


def test_places_in_libraries_are_nobodys_own():
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(compile("import no_such_module", "/usr/lib/python3/dist-packages/a.py", "exec"))
    assert own_fault(caught.value.with_traceback(caught.value.__traceback__.tb_next)) is None
