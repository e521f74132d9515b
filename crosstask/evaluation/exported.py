"""Exported networks read back, from files that hold nothing that could run on loading."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass
from typing_extensions import override

from crosstask.errors import UserError, nearest

FORMAT = "crosstask export 1"
METADATA = "crosstask.json"

_REMEDY = "write it with `crosstask export`"
_PLAIN = re.compile(
    r"models/model\.json|data/(weights|constants)/(weight|tensor)_\d+|data/weights/model_weights_config\.json|"
    r"data/constants/model_constants_config\.json|data/sample_inputs/model\.pt|extra/[^/]+|archive_format|"
    r"archive_version|byteorder|\.data/(version|serialization_id)"
)


class Exported(nn.Module):
    """An exported network: images (B, 3, H, W), float32 RGB in [0, 1], to natural values by task.

    Attributes:
        metadata: names, classes and units of the outputs, and what the input has to be.
    """

    def __init__(self, metadata: dict[str, Any]) -> None:
        super().__init__()
        self.metadata = metadata


class TorchProgram(Exported):
    """A ``.pt2`` file; runs on the device it was loaded for."""

    def __init__(self, module: nn.Module, metadata: dict[str, Any]) -> None:
        super().__init__(metadata)
        self.module = module

    @override
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.module(images)


class OnnxModel(Exported):
    """An ``.onnx`` file, run by onnxruntime on the CPU."""

    def __init__(self, session: Any, metadata: dict[str, Any]) -> None:
        super().__init__(metadata)
        self.session = session

    @override
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        values = self.session.run(list(self.metadata["outputs"]), {"images": images.detach().cpu().numpy()})
        named = zip(self.metadata["outputs"], values, strict=True)
        return {name: torch.from_numpy(value).to(images.device) for name, value in named}


def load_exported(path: Path | str, device: torch.device | str = "cpu") -> Exported:
    """Read a file that :func:`~crosstask.evaluation.export.export` wrote.

    ``torch.export.load`` would unpickle whatever an archive holds, so one with anything but plain tensors is refused.

    Args:
        path: the file.
        device: where a ``.pt2`` file is run, and its images are; an ``.onnx`` file runs on the CPU.

    Raises:
        UserError: the file is missing, or is none that ``export`` wrote.
    """
    path = Path(path)
    loaders = {".pt2": _load_program, ".onnx": _load_onnx}
    if path.suffix not in loaders:
        raise UserError(f"{path}: {path.suffix!r} is no ending of an exported network: {nearest(path.suffix, loaders)}")
    if not path.is_file():
        raise UserError(f"{path}: no such file: {_REMEDY}")
    return loaders[path.suffix](path, torch.empty(0, device=device).device)  # with its index: programs compare it


def _load_program(path: Path, device: torch.device) -> Exported:
    content = path.read_bytes()
    text = _plain_metadata(path, content)
    program = torch.export.load(io.BytesIO(content))
    if device.type != "cpu":
        program = move_to_device_pass(program, device)
    return TorchProgram(program.module(), json.loads(text))


def _plain_metadata(path: Path, content: bytes) -> str:
    """The metadata of the archive, once it is known to hold only plain tensors, JSON and text."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {name.partition("/")[2]: name for name in archive.namelist()}
            odd = [name for name in names if not _PLAIN.fullmatch(name)]
            if len(names) < len(archive.namelist()):
                odd.append("two files of one name")
            for kind in ("weights", "constants"):
                config = json.loads(archive.read(names[f"data/{kind}/model_{kind}_config.json"]))["config"]
                odd += [name for name, entry in config.items() if entry["use_pickle"]]
            torch.load(io.BytesIO(archive.read(names["data/sample_inputs/model.pt"])), weights_only=True)
            text = archive.read(names[f"extra/{METADATA}"]).decode()
            known = json.loads(text)["format"] == FORMAT
    except Exception as error:  # a broken archive breaks its readers in many ways
        raise UserError(f"{path}: not an exported network ({_why(error)}): {_REMEDY}") from None
    if odd:
        raise UserError(f"{path}: holds {odd[0]!r}, which is no plain tensor and is not loaded: {_REMEDY}")
    if not known:
        raise UserError(f"{path}: not of the format {FORMAT!r}: {_REMEDY}")
    return text


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:80]


def _load_onnx(path: Path, device: torch.device) -> Exported:
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path}: needs onnxruntime: pip install 'crosstask[export]'") from None
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return OnnxModel(session, json.loads(session.get_modelmeta().custom_metadata_map[METADATA]))
    except Exception as error:  # onnxruntime's errors have no common base
        raise UserError(f"{path}: not an exported network ({_why(error)}): {_REMEDY}") from None
