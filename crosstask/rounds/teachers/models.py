"""Models from outside, asked through the pipelines of the transformers library; exported networks of ours.

A pipeline is chosen by the kind of the task: depth estimation, semantic segmentation, zero-shot classification.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.errors import RecipeError, UserError, nearest
from crosstask.evaluation.exported import load_exported
from crosstask.evaluation.scale import resized, show
from crosstask.evaluation.windows import by_windows
from crosstask.tasks.base import Task

Ask = Callable[[Sample], Tensor]
"""An image to values (1, C, H, W) or (1, C); of depth and disparity in whatever unit the model has."""
EXPORTED = (".pt2", ".onnx")
BACKGROUND = ("background", "other", "unlabeled")
"""Names of classes that are no figure."""


def require_model(model: str, task: Task, names: Mapping[str, str], where: str) -> None:
    """Make sure that a model can be had and knows the names, before there is work for it: an exported file is opened,
    of a transformers model only the configuration is read. Arguments as those of :func:`ask_model`.

    Raises:
        RecipeError: there is no such model, or none that says anything of such a task, or a name is not valid.
    """
    if Path(model).suffix in EXPORTED:
        try:
            _exported(model, task, names, "cpu", where)
        except UserError as error:
            raise RecipeError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from None
        return
    words = _pipeline_of(task, where)
    library = _transformers(where)
    with _loading(words, model, where):
        config = library.AutoConfig.from_pretrained(model)
    NAMES[task.kind](config.id2label.values(), task, names, where)


def ask_model(model: str, task: Task, names: Mapping[str, str], device: str, where: str) -> Ask:
    """The way to ask a model about a task.

    Args:
        model: name or folder of a transformers model, or an exported file.
        task: the task.
        names: by class name of the model that of the task; for zero-shot models by class of the task the words.
        device: where it runs.
        where: key of the recipe, for messages.

    Raises:
        RecipeError: there is no such model, or none that says anything of such a task.
        UserError: the exported file is none.
    """
    if Path(model).suffix in EXPORTED:
        return _exported(model, task, names, device, where)
    words = _pipeline_of(task, where)
    asked = KINDS[task.kind][1](_pipeline(words, model, device, where), task, names, where)
    try:
        asked(Sample("", tv_tensors.Image(torch.zeros(3, 64, 64)), {}))
    except Exception as error:  # a model of another kind fails in ways of its own
        why = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise RecipeError(f"{where}: {model!r} is no model for {words} ({why}): give one that is") from None
    return asked


def _pipeline_of(task: Task, where: str) -> str:
    if task.kind not in KINDS:
        known = ", ".join(KINDS)
        raise RecipeError(
            f"{where}: no pipeline of transformers gives {task.kind}; it has some for {known}: give a run or an "
            "exported file"
        )
    return KINDS[task.kind][0]


def _pipeline(words: str, model: str, device: str, where: str) -> Any:
    library = _transformers(where)
    with _loading(words, model, where):
        return library.pipeline(words, model=model, device=device, model_kwargs={"use_safetensors": True})


def _transformers(where: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise RecipeError(f"{where}: transformers is not installed: pip install 'crosstask[sam]'") from None
    return transformers


@contextmanager
def _loading(words: str, model: str, where: str) -> Iterator[None]:
    """Whatever transformers says of a model that cannot be loaded is one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise RecipeError(
            f"{where}: {model!r} cannot be loaded for {words} ({why}): give the name of a model that can be "
            "downloaded, a folder saved by save_pretrained with its processor, a run, or an exported file"
        ) from None


def _picture(sample: Sample) -> Image.Image:
    return Image.fromarray((sample.image.as_subclass(Tensor) * 255).round().byte().permute(1, 2, 0).numpy())


def _unnamed(theirs: Any, task: Task, names: Mapping[str, str], where: str) -> None:
    if names:
        raise RecipeError(f"{where}.names: there are no classes of {task.kind} to name: leave it out")


def _depth(pipe: Any, task: Task, names: Mapping[str, str], where: str) -> Ask:
    _unnamed((), task, names, where)

    def ask(sample: Sample) -> Tensor:
        found = torch.as_tensor(pipe(_picture(sample))["predicted_depth"]).float()
        return resized(found.reshape(1, 1, *found.shape[-2:]), sample.size)

    return ask


def _masks(pipe: Any, sample: Sample) -> list[tuple[str, Tensor]]:
    found = pipe(_picture(sample), subtask="semantic")
    return [(each["label"], torch.from_numpy(np.asarray(each["mask"]) > 127)) for each in found]


def _classes(pipe: Any, task: Task, names: Mapping[str, str], where: str) -> Ask:
    table = _table(pipe.model.config.id2label.values(), task, names, where)

    def ask(sample: Sample) -> Tensor:
        values = torch.full((1, task.channels, *sample.size), torch.nan)
        for label, mask in _masks(pipe, sample):
            if label in table:
                values[:, :, mask] = torch.nn.functional.one_hot(torch.tensor(table[label]), task.channels)[
                    None, :, None
                ].float()
        return values

    return ask


def _figure(pipe: Any, task: Task, names: Mapping[str, str], where: str) -> Ask:
    ground = _ground(pipe.model.config.id2label.values(), task, names, where)

    def ask(sample: Sample) -> Tensor:
        figure = torch.zeros(sample.size)
        for label, mask in _masks(pipe, sample):
            figure[mask] = float(label.lower() not in ground and label not in ground)
        return figure[None, None]

    return ask


def _ground(theirs: Any, task: Task, names: Mapping[str, str], where: str) -> set[str]:
    """The class names of the model that are no figure."""
    known = {word for label in theirs for word in (label, label.lower())}
    for label, ours in names.items():
        _require_known(label, known, where)
        if ours != "ground":
            raise RecipeError(f"{where}.names.{label}: expected ground, found {ours!r}: name what is no figure")
    return set(names) or set(BACKGROUND)


def _require_known(label: str, known: Collection[str], where: str) -> None:
    if label not in known:
        raise RecipeError(f"{where}.names: the model has no class {label!r}; {nearest(label, known)}")


def _table(theirs: Any, task: Task, names: Mapping[str, str], where: str) -> dict[str, int]:
    """By class name of the model the class of the task."""
    known = list(theirs)
    for label, ours in names.items():
        _require_known(label, known, where)
        if ours not in task.classes:
            raise RecipeError(
                f"{where}.names.{label}: {task.name} has no class {ours!r}; {nearest(ours, task.classes)}"
            )
    table = {name: task.classes.index(name) for name in known if name in task.classes}
    table |= {label: task.classes.index(ours) for label, ours in names.items()}
    if not table:
        raise RecipeError(
            f"{where}: none of the classes of the model ({', '.join(known[:6])}, ...) is one of {task.name}: "
            f"give names, {{{known[0]}: {task.classes[0]}}} say"
        )
    return table


def _scores(pipe: Any, sample: Sample, words: Sequence[str], template: str) -> list[float]:
    found = pipe(_picture(sample), candidate_labels=list(words), hypothesis_template=template)
    by_word = {each["label"]: each["score"] for each in found}
    return [by_word[word] for word in words]


def _words(theirs: Any, task: Task, names: Mapping[str, str], where: str) -> list[str]:
    for name in names:
        if name not in task.classes:
            raise RecipeError(f"{where}.names: {task.name} has no class {name!r}; {nearest(name, task.classes)}")
    return [names.get(name, name) for name in task.classes]


def _category(pipe: Any, task: Task, names: Mapping[str, str], where: str) -> Ask:
    words = _words((), task, names, where)
    return lambda sample: torch.tensor([_scores(pipe, sample, words, "a photo of {}")])


def _tags(pipe: Any, task: Task, names: Mapping[str, str], where: str) -> Ask:
    words = _words((), task, names, where)

    def ask(sample: Sample) -> Tensor:
        # each tag against its absence: the scores of one call compete with each other
        return torch.tensor([[_scores(pipe, sample, [f"with {w}", f"without {w}"], "a photo {}")[0] for w in words]])

    return ask


KINDS: dict[str, tuple[str, Callable[[Any, Task, Mapping[str, str], str], Ask]]] = {
    "depth": ("depth-estimation", _depth),
    "disparity": ("depth-estimation", _depth),
    "segmentation": ("image-segmentation", _classes),
    "saliency": ("image-segmentation", _figure),
    "tags": ("zero-shot-image-classification", _tags),
    "category": ("zero-shot-image-classification", _category),
}
"""By kind of task the pipeline, and how it is asked."""
NAMES: dict[str, Callable[[Any, Task, Mapping[str, str], str], Any]] = {
    "depth": _unnamed,
    "disparity": _unnamed,
    "segmentation": _table,
    "saliency": _ground,
    "tags": _words,
    "category": _words,
}
"""By kind of task what is made of the names, given the classes of the model."""


def _exported(path: str, task: Task, names: Mapping[str, str], device: str, where: str) -> Ask:
    if names:
        raise RecipeError(f"{where}.names: an exported file has the classes of the task: leave it out")
    network = load_exported(path, device)
    outputs = network.metadata["outputs"]
    if task.name not in outputs:
        raise RecipeError(f"{where}: {path} has no output {task.name!r}; {nearest(task.name, outputs)}")
    theirs = outputs[task.name].get("classes") or []
    if theirs and list(theirs) != task.classes:
        raise UserError(f"{where}: {path} knows other classes of {task.name}: {', '.join(theirs)}")
    given = network.metadata["input"]
    window = tuple(given["size"])
    size = window if given.get("scale", "cover") == "cover" else None
    fixed = "height" not in given["dynamic"]
    asked = lambda images: {task.name: network(images)[task.name]}  # noqa: E731

    @torch.inference_mode()
    def ask(sample: Sample) -> Tensor:
        shown = show(sample.image.as_subclass(Tensor)[None], size)
        images = shown.images.to(device)
        said = by_windows(asked, images, window, {task.name: task}) if fixed else asked(images)
        value = said[task.name].cpu().float()
        return shown.back(value) if task.dense else value

    return ask
