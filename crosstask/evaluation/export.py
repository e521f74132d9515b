"""A network as one file that runs without crosstask: a ``torch.export`` program, and ONNX."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.utils._sympy.value_ranges import ValueRanges
from typing_extensions import override

import crosstask
from crosstask.errors import RunError, UserError
from crosstask.evaluation.evaluate import evaluating
from crosstask.evaluation.exported import FORMAT, METADATA, load_exported
from crosstask.names import with_ending
from crosstask.networks.same_padding import whole_strides
from crosstask.tasks.base import Task
from crosstask.writing import whole

_COVER = (
    "scale the whole image (bilinear, antialiased) so that size just fits into it, to 16 times its pixels at most; "
    "scale the maps back to the image's size: values stay as they are, unit vectors are made unit again"
)
_WINDOWS = "; take windows of size where height and width are not dynamic, and average where they overlap"
_AXES = {"batch": 0, "height": 2, "width": 3}
_DYNAMIC: tuple[tuple[str, ...], ...] = (("batch", "height", "width"), ("height", "width"), ("batch",), ())


class Natural(nn.Module):
    """A network that speaks in natural values: images (B, 3, H, W) to probabilities, metres, unit vectors by task.

    Args:
        network: images to raw predictions by task.
        tasks: the tasks whose ``activate`` turns the raw predictions into natural values.
        dtype: of the network's weights and arithmetic; images and values are float32 all the same.
    """

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network.to(dtype)
        self.tasks = dict(tasks)
        self.dtype = dtype

    @override
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions = self.network(images.to(self.dtype))
        return {name: task.activate(predictions[name].float()) for name, task in self.tasks.items()}


@dataclass(frozen=True)
class Export:
    """What :func:`export` wrote.

    Attributes:
        program: the ``.pt2`` file.
        onnx: the ONNX file; None where none was asked for.
        dynamic: the axes that may have any length when the files are run.
        least: the least height and width the files were found to take; those of ``size`` where they are fixed.
        difference: per task, the largest absolute difference to the network over all images it was checked on.
    """

    program: Path
    onnx: Path | None
    dynamic: tuple[str, ...]
    least: tuple[int, int]
    difference: dict[str, float]


def export(
    network: nn.Module,
    tasks: Mapping[str, Task],
    path: Path | str,
    *,
    size: tuple[int, int],
    cover: bool = True,
    onnx: bool = False,
    opset: int | None = None,
    half: bool = False,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Export:
    """Write ``network`` to ``path`` (``.pt2``) and, on demand, to the same name with ``.onnx``.

    The files take ``images`` (B, 3, H, W), float32 RGB in [0, 1], and return the *natural values* of each task by name:
    class probabilities (B, C, H, W), metres, unit vectors, tag probabilities (B, C). Batch, height and width may be
    anything (down to the least size the file says) where the network can be exported that way; otherwise one image of
    any size, any number of images of
    ``size``, or one image of it. Names of tasks and
    classes, units and what the input has to be are inside, as JSON (see :func:`metadata`).

    Each file is loaded again and compared with the network, on another batch size and another image size too.

    Args:
        network: images to raw predictions by task; it is copied to the CPU and stays as it is.
        tasks: the tasks to export.
        path: where to write; ``.onnx`` becomes ``.pt2``, which is added where there is neither.
        size: height and width at which the network is shown images.
        cover: whether images are to be scaled so that ``size`` just fits into them; the file says so, it does not
            do it.
        onnx: also write ONNX; needs the ``export`` extra.
        opset: version of ONNX's operators; what torch prefers where None.
        half: weights and arithmetic in float16, for devices that are faster so; images and values stay float32.
        tolerance: how much a value may differ from the network's in float32, relative to the largest value of the task
            (or to 1 where that is below 1); 1e-4 where None, 2e-2 in float16.
        overwrite: replace files that are there.

    Raises:
        UserError: a file is there already, or the ``export`` extra is missing.
        RunError: the network cannot be exported, or a written file does not compute the same.
    """
    program = with_ending(Path(path), ".pt2", [".onnx"])
    model = program.with_suffix(".onnx") if onnx else None
    files = [file for file in (program, model) if file is not None]
    if model is not None:
        _need("onnx", "onnxscript", "onnxruntime")
    for file in files:
        if file.exists() and not overwrite:
            raise UserError(f"{file}: is there already: give another path, or --overwrite")
    if tolerance is None:
        tolerance = 2e-2 if half else 1e-4
    natural = Natural(copy.deepcopy(network).cpu(), tasks).requires_grad_(False)
    written = Natural(copy.deepcopy(natural.network), tasks, torch.float16) if half else natural
    with evaluating(natural), evaluating(written), torch.no_grad():
        exported, dynamic = _exported(written, size)
        least = _least(natural, exported, size, dynamic, tolerance)
        content = metadata(tasks, size, dynamic, cover) | {"weights": "float16" if half else "float32"}
        content["input"]["least"] = list(least)
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        with whole(program) as part:
            torch.export.save(exported, part, extra_files={METADATA: json.dumps(content)})
            difference = _check(natural, load_exported(part), program, size, dynamic, tolerance)
        if model is not None:
            with whole(model) as part:
                _write_onnx(exported, part, content, opset)
                other = _check(natural, load_exported(part), model, size, dynamic, tolerance)
            difference = {name: max(difference[name], other[name]) for name in difference}
    return Export(program, model, dynamic, least, difference)


def metadata(
    tasks: Mapping[str, Task], size: tuple[int, int], dynamic: tuple[str, ...], cover: bool = True
) -> dict[str, Any]:
    """What a reader of the file needs to know: the input, and for each output its kind, unit and classes."""
    return {
        "format": FORMAT,
        "crosstask": getattr(crosstask, "__version__", ""),
        "input": {
            "name": "images",
            "axes": ["batch", "channel", "height", "width"],
            "values": "RGB, float32 in [0, 1]; the network normalises them itself",
            "size": list(size),
            "scale": "cover" if cover else "own",
            "resize": _COVER + ("" if "height" in dynamic else _WINDOWS)
            if cover
            else "none: the network was measured on images at their own size",
            "dynamic": list(dynamic),
        },
        "outputs": {
            name: {
                "kind": task.kind,
                "axes": ["batch", "channel", "height", "width"] if task.dense else ["batch", "channel"],
                "values": "natural values: probabilities where there are classes, else the unit",
                "unit": task.unit,
                "classes": task.classes,
            }
            for name, task in tasks.items()
        },
    }


def _exported(natural: Natural, size: tuple[int, int]) -> tuple[ExportedProgram, tuple[str, ...]]:
    """The program with as many dynamic axes as the network allows, and their names.

    Without ``backed_size_oblivious`` an innocent question (is this map contiguous?) asked with the example size would
    tie the program to sizes for which the answer is the same.
    """
    for dynamic in _DYNAMIC:
        shapes = {"images": {_AXES[name]: Dim.DYNAMIC for name in dynamic}}
        try:
            example, *others = (_images(*shape) for shape in _shapes(size, dynamic))
            oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
            with _quiet(), whole_strides(natural.network), oblivious:
                exported = torch.export.export(natural, (example,), dynamic_shapes=shapes, strict=False)
            torch.export.save(exported, io.BytesIO())  # what was traced may still hold arithmetic that no file can
            if "batch" in dynamic:
                _take_one(exported)
            module = exported.module()
            for images in others:
                natural(images), module(images)
            return exported, dynamic
        except Exception as error:  # torch.export has no common base for what it refuses
            reason = error
    raise RunError(
        f"the network cannot be exported ({_first_line(reason)}): its forward must not depend on the values of tensors"
    ) from reason


def _take_one(exported: ExportedProgram) -> None:
    """Let a program take one image too, which was traced with two.

    To be fast, kernels ask whether a batch of one is contiguous in another order too; torch.export ties the program to
    the answer, though it computes the same either way. Whether it does is measured afterwards.
    """
    images = next(node for node in exported.graph.nodes if node.op == "placeholder" and node.name == "images")
    symbol = str(images.meta["val"].shape[0])
    guards = getattr(exported, "_guards_code", None)
    if guards is not None:
        exported._guards_code = [guard for guard in guards if "size()[0]" not in guard or "size()[0] ==" in guard]
    for key, found in exported.range_constraints.items():
        if str(key) == symbol:
            exported.range_constraints[key] = ValueRanges(1, found.upper)


def _least(
    natural: Natural, exported: ExportedProgram, size: tuple[int, int], dynamic: tuple[str, ...], tolerance: float
) -> tuple[int, int]:
    """The least height and width that the program takes, one at a time, and for which it computes what it should."""
    if "height" not in dynamic:
        return size
    module = exported.module()

    def works(shape: tuple[int, int]) -> bool:
        images = _images(1, shape)
        try:
            expected, found = natural(images), module(images)
        except Exception:  # guards and kernels have errors of their own
            return False
        return all(_gap(expected[name], found[name])[1] <= tolerance for name in natural.tasks)

    sides = [side for side in (1, 2, 4, 8, 16, 32, 33, 48, 64, 96, 128) if side < min(size)]
    side = next((side for side in sides if works((side, side))), None)
    return size if side is None else (side, side)


def _gap(expected: Tensor, found: Tensor) -> tuple[float, float]:
    """The largest difference, and how large it is beside the largest value (or 1)."""
    gap = (expected - found).abs().max().item()
    return gap, gap / max(1.0, expected.abs().max().item())


def _write_onnx(exported: ExportedProgram, path: Path, content: dict[str, Any], opset: int | None) -> None:
    names = list(content["outputs"])
    try:
        with _quiet():
            model = torch.onnx.export(
                exported, dynamo=True, input_names=["images"], output_names=names, verbose=False, opset_version=opset
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
        asked = "" if opset is None else f" with operators of version {opset}"
        raise RunError(
            f"the network cannot be written as ONNX{asked} ({_first_line(error)}): use the .pt2 file, another --opset, "
            "or another encoder"
        ) from error
    assert model is not None
    model.model.metadata_props[METADATA] = json.dumps(content)
    model.save(path)


def _check(
    natural: Natural, loaded: nn.Module, path: Path, size: tuple[int, int], dynamic: tuple[str, ...], tolerance: float
) -> dict[str, float]:
    """The largest absolute difference per task between the file and the network it came from."""
    difference = dict.fromkeys(natural.tasks, 0.0)
    for batch, shape in _shapes(size, dynamic):
        images = _images(batch, shape)
        expected, found = natural(images), loaded(images)
        for name in natural.tasks:
            gap, relative = _gap(expected[name], found[name])
            difference[name] = max(difference[name], gap)
            if not relative <= tolerance:
                raise RunError(
                    f"{path}: differs from the network by {gap:.3g} in {name} for {batch} images of "
                    f"{shape[0]}x{shape[1]}: do not use the file, or allow more with --tolerance (now {tolerance:g})"
                )
    return difference


def _shapes(size: tuple[int, int], dynamic: tuple[str, ...]) -> list[tuple[int, tuple[int, int]]]:
    """The batch and image sizes that a file is checked on; the network is exported with the first."""
    height, width = size
    sizes = [size, (height + height // 3 + 1, width + width // 4 + 2)] if "height" in dynamic else [size]
    return [(batch, each) for batch in ((2, 1, 3) if "batch" in dynamic else (1,)) for each in sizes]


def _images(batch: int, size: tuple[int, int]) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(batch))


def _need(*packages: str) -> None:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(f"ONNX needs {', '.join(missing)}: pip install 'crosstask[export]', or leave --onnx out")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say to their own developers."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category, module=r"(torch|onnx|copyreg|ast)")
        yield
