"""One training step: exact averages over all micro-batches and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric, wrappers
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn

from crosstask.balancing.base import Balancer
from crosstask.data.sample import Batch
from crosstask.errors import RunError
from crosstask.learner.learner import Learner
from crosstask.seeding import generator
from crosstask.tasks.term import Term
from crosstask.training.collective import reduced
from crosstask.training.sharded import is_sharded
from crosstask.training.terms import share


def accumulate_gradients(
    fabric: Fabric,
    learner: _FabricModule,
    batches: Sequence[Batch],
    *,
    iteration: int,
    iterations: int,
    seed: int,
) -> list[dict[str, Term]]:
    """Forward and backward over the micro-batches of one step; the gradients are those of the step's mean losses.

    A term is divided by its count over the whole step. With one micro-batch per step the counts come from the terms
    themselves; with several they are needed before the first backward, so they come from ``Objective.counts`` (see
    there for objectives that cannot tell). A balancer that compares gradients sees those of the step first.

    Args:
        learner: a :class:`Learner` set up by ``fabric``.
        batches: this rank's micro-batches.

    Returns:
        The terms of each micro-batch, without their graph.

    Raises:
        RunError: a term is not finite; names the term and the samples. Or the balancer compares gradients, and the step
            has several micro-batches or scaled losses.
    """
    module: Learner = learner.module  # type: ignore[assignment]
    watched = module.balancer.watched(module.network)
    if watched:
        _require_whole_gradients(fabric, len(batches))
    known = _known_counts(fabric, module, batches) if len(batches) > 1 else {}
    seen = []
    for position, batch in enumerate(batches):
        rng = generator(seed, "objectives", iteration, position, fabric.global_rank)
        with fabric.no_backward_sync(learner, enabled=position < len(batches) - 1):
            terms = learner(batch, iteration, iterations, rng)
            names = list(terms)
            local = torch.stack([terms[name].count.float() for name in names])
            counts = dict(zip(names, reduced(fabric, local) * len(batches), strict=True)) | known
            # DDP averages gradients over ranks; the counts are already global
            shares = {name: share(term, counts[name]) * fabric.world_size for name, term in terms.items()}
            if watched:
                module.balancer.look(_gradients(fabric, module.balancer, shares, watched))
            loss = module.balancer(shares)
            _require_finite(loss, shares, batch)
            fabric.backward(loss)
        seen.append({name: Term(total.detach(), count) for name, (total, count) in terms.items()})
    module.balancer.learn(lambda: _means(fabric, seen))
    return seen


def _known_counts(fabric: Fabric, module: Learner, batches: Sequence[Batch]) -> dict[str, Tensor]:
    per_batch = [module.counts(batch) for batch in batches]
    names = list(per_batch[0])
    if not names:
        return {}
    local = torch.stack([torch.stack([counts[name].float() for name in names]) for counts in per_batch]).sum(0)
    return dict(zip(names, reduced(fabric, local), strict=True))


def _means(fabric: Fabric, seen: Sequence[dict[str, Term]]) -> dict[str, float]:
    """The mean of each present term over all micro-batches and ranks. An exact 0 is as good as absent: where terms are
    averaged over all images, those without labels count."""
    names = list(seen[0])
    local = torch.stack([torch.stack([part.float() for name in names for part in terms[name]]) for terms in seen])
    pairs = zip(names, reduced(fabric, local.sum(0).unflatten(0, (-1, 2))).tolist(), strict=True)
    return {name: total / count for name, (total, count) in pairs if count > 0 and total != 0}


def _gradients(
    fabric: Fabric,
    balancer: Balancer,
    shares: dict[str, Tensor],
    parameters: Sequence[nn.Parameter],
) -> dict[str, Tensor]:
    """The gradient of each present term that is balanced, over all ranks, as one vector."""
    names = [name for name, share in shares.items() if balancer.balanced(name) and share.requires_grad]
    present = []
    if names:
        nonzero = torch.stack([(shares[name].detach() != 0).float() for name in names])
        present = (reduced(fabric, nonzero) > 0).tolist()
    gradients = {}
    for name in (name for name, there in zip(names, present, strict=True) if there):
        with _outside_backward():
            parts = torch.autograd.grad(shares[name], parameters, retain_graph=True, materialize_grads=True)
        vector = torch.cat([part.flatten() for part in parts])
        gradients[name] = reduced(fabric, vector) / fabric.world_size
    return gradients


@contextmanager
def _outside_backward() -> Iterator[None]:
    """Fabric refuses gradients outside its own backward pass, where it may scale losses; here none is scaled."""
    wrappers._in_fabric_backward = True
    try:
        yield
    finally:
        wrappers._in_fabric_backward = False


def _require_whole_gradients(fabric: Fabric, micro_batches: int) -> None:
    if micro_batches > 1:
        raise RunError(
            f"the balancer compares the gradients of whole steps, but a step has {micro_batches} micro-batches: set "
            "training.accumulate: 1, or balancing.kind to uncertainty, dwa or fixed"
        )
    if is_sharded(fabric):
        raise RunError(
            "the balancer compares gradients, which training.strategy: fsdp cuts into parts: set it to ddp, or "
            "balancing.kind to uncertainty, dwa or fixed"
        )
    if getattr(fabric.strategy.precision, "scaler", None) is not None:
        raise RunError("the balancer compares gradients, which fp16 would have to scale: set training.precision: bf16")


def _require_finite(loss: Tensor, shares: dict[str, Tensor], batch: Batch) -> None:
    if bool(torch.isfinite(loss.detach())):
        return
    terms = [name for name, value in shares.items() if not bool(torch.isfinite(value.detach()))] or ["the balanced sum"]
    raise RunError(
        f"the loss is not finite: {', '.join(terms)}, for the samples {', '.join(batch.ids)}; look at them with "
        "'crosstask check', or lower training.lr, set training.clip, or use precision bf16 or 32"
    )
