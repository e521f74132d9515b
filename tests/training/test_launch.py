"""What is refused before any process is started."""

from __future__ import annotations

import pytest

from crosstask.errors import UserError
from crosstask.training.options import TrainingOptions
from crosstask.training.runtime import make_fabric


def test_more_processes_than_a_machine_can_run_are_refused():
    with pytest.raises(UserError, match=r"training\.devices is 1000, more processes than"):
        make_fabric(TrainingOptions(devices=1000, accelerator="cpu"))
