"""Weights from the angles between the terms' gradients, by the methods of TorchJD (https://torchjd.org)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.balancing.base import Adaptive
from crosstask.balancing.watch import encoder
from crosstask.errors import RecipeError
from crosstask.seeding import derive

Method = Literal["upgrad", "dualproj", "mgda", "pcgrad", "cagrad", "imtl_g", "aligned_mtl"]
WEIGHTINGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "upgrad": ("UPGradWeighting", {}, "quadprog_projector"),
    "dualproj": ("DualProjWeighting", {}, "quadprog_projector"),
    "mgda": ("MGDAWeighting", {}, ""),
    "pcgrad": ("PCGradWeighting", {}, ""),
    "cagrad": ("CAGradWeighting", {"c": 0.4}, "cagrad"),
    "imtl_g": ("IMTLGWeighting", {}, ""),
    "aligned_mtl": ("AlignedMTLWeighting", {}, ""),
}
"""By method: the class in ``torchjd.aggregation``, its options, and the extra of torchjd it needs."""


class Conflict(Adaptive):
    """Weights that resolve conflicts between the gradients of the terms, found anew in every step.

    With J the gradients of the K present terms with respect to the encoder, one per row, all these methods look at
    J J^T (K, K) alone and give weights w: the step is taken along J^T w. The weights multiply the terms themselves, as
    in the code of MGDA, so heads learn at the rate of their terms.

    Absent terms have no row: a row of zeros would make MGDA's answer 0, no update at all. Nor has a term whose gradient
    is 0, for the same reason. Some methods' weights add up to 1, others' to about K: tune the learning rate.

    Costs a backward pass per term and a gradient per term in memory.

    >>> balancer = Conflict("pcgrad")
    >>> balancer.look({"depth": torch.tensor([1.0, 0.0]), "semantic": torch.tensor([0.0, 1.0])})
    >>> balancer.weight("depth"), balancer.weight("absent")  # nothing conflicts
    (1.0, 1.0)

    Args:
        method: upgrad and dualproj (Quinton and Rey, 2024), mgda (Sener and Koltun, 2018), pcgrad (Yu et al., 2020),
            cagrad (Liu et al., 2021, with c = 0.4), imtl_g (Liu et al., 2021), aligned_mtl (Senushkin et al., 2023).
        objectives: the objectives whose terms are balanced; those of others have the weight 1. All where null.

    Raises:
        RecipeError: torchjd, or what it needs for the method, is not installed.
    """

    def __init__(self, method: Method = "pcgrad", objectives: Sequence[str] | None = None) -> None:
        super().__init__(objectives)
        self.method = method
        self.weighting = _weighting(method)
        self.steps = 0
        self.current: dict[str, float] = {}

    @override
    def weight(self, name: str) -> float:
        return self.current.get(name, 1.0)

    @override
    def watched(self, network: nn.Module) -> list[nn.Parameter]:
        return encoder(network, "conflict")

    @override
    def look(self, gradients: dict[str, Tensor]) -> None:
        rows = {name: vector for name, vector in gradients.items() if bool(vector.any())}
        self.steps += 1
        self.current = {}
        if rows:
            jacobian = torch.stack(list(rows.values()))
            gramian = (jacobian @ jacobian.T).double().cpu()
            with torch.random.fork_rng(devices=[]):  # some methods draw an order: the same one on every process
                torch.manual_seed(derive("conflict", self.steps))
                self.current = dict(zip(rows, self.weighting(gramian).tolist(), strict=True))

    @override
    def weights(self) -> dict[str, float]:
        return dict(self.current)

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return {"steps": self.steps}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


def _weighting(method: str) -> nn.Module:
    name, options, extra = WEIGHTINGS[method]
    try:
        from torchjd import aggregation
    except ImportError:
        raise RecipeError(
            "balancing.kind: conflict needs torchjd, which is not installed: pip install 'crosstask[balance]'"
        ) from None
    try:
        return getattr(aggregation, name)(**options)
    except ImportError:
        raise RecipeError(
            f"balancing.method: {method} needs a solver that is not installed: pip install 'torchjd[{extra}]', or "
            f"choose one of {', '.join(key for key, (_, _, needs) in WEIGHTINGS.items() if not needs)}"
        ) from None
