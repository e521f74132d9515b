"""Starting a run from the weights of another."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from crosstask.errors import UserError
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run


def start_from(network: nn.Module, path: str | Path) -> int:
    """Give ``network`` the weights of the run ``path`` wherever name and shape agree; the rest stays as it is.

    The best weights are taken where the run has them, else the last.

    Returns:
        How many tensors were taken.

    Raises:
        UserError: there is no run or no checkpoint, or nothing agrees.
    """
    run = Run(path)
    run.require()
    which = "best" if run.checkpoints.has("best") else "last"
    found = load_weights(run.checkpoints.find(which) / "network.safetensors")
    ours = network.state_dict()
    agreeing = {name: value for name, value in found.items() if name in ours and ours[name].shape == value.shape}
    if not any(name in agreeing for name, weight in network.named_parameters() if weight.ndim > 1):
        raise UserError(
            f"training.start_from: no weight of {run.path} has the name and shape of one of the network's: give a run "
            "of the same encoder, or set it to null"
        )
    network.load_state_dict(agreeing, strict=False)
    return len(agreeing)
