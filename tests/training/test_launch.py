"""What is refused before any process is started, and how a process ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from crosstask.errors import UserError
from crosstask.recipe.training import TrainingOptions
from crosstask.training.runtime import make_fabric


@pytest.mark.parametrize("options", [{"accelerator": "cuda"}, {"accelerator": "cpu", "strategy": "xla"}])
def test_devices_that_are_not_there_are_one_line(monkeypatch, options):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError) as caught:
        make_fabric(TrainingOptions(**options))
    found = options["accelerator"]
    assert str(caught.value).startswith(f"training.accelerator: found '{found}' with training.devices: 1")
    assert "\n" not in str(caught.value)
    assert "set training.accelerator: auto" in str(caught.value)


def test_more_processes_than_a_machine_can_run_are_refused():
    with pytest.raises(UserError, match=r"training\.devices is 1000, more processes than"):
        make_fabric(TrainingOptions(devices=1000, accelerator="cpu"))


def test_a_process_takes_leave_of_the_others_before_the_interpreter_ends():
    """One of gloo's threads that is left aborts the process now and then, its exit code that of a failure."""
    code = """if True:
        import atexit
        import torch
        atexit.register(lambda: print(torch.distributed.is_initialized()))
        from crosstask.recipe.training import TrainingOptions
        from crosstask.training.runtime import make_fabric
        make_fabric(TrainingOptions(accelerator="cpu", devices=1, strategy="ddp"))
        print(torch.distributed.is_initialized())
    """
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
