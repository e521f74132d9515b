"""NYU-v2 as its authors distribute it: the labeled set in one MATLAB (HDF5) file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from typing_extensions import override

from crosstask.data.adapters.base import Adapter, Output, Source, intrinsics, table_of
from crosstask.data.adapters.matlab import read_class_map, read_vectors
from crosstask.data.table.table import DERIVED, Table
from crosstask.errors import DataError
from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks.normals import Normals

FILE = "nyu_depth_v2_labeled.mat"
INTRINSICS = (518.857901, 519.469611, 325.582449, 253.736166)
"""fx, fy, cx, cy of the colour camera, as the authors' toolbox gives them for 640x480."""
FROM_DEPTH = "derived"
_IDS = 894
_UNKNOWN = 255


class NyuV2Mat(Adapter):
    """The labeled set: 1,449 images of 640x480, written as files on conversion (PNG).

    The file holds ``images`` (N, 3, W, H), ``depths`` (N, W, H; metres, holes filled in) and ``labels`` (N, W, H; 0
    unlabelled, else an id up to 894): stored by columns, so read here transposed. Columns of the table: ``depth`` in
    millimetres; ``semantic40`` and ``semantic13`` where the maps are given (class - 1, 255 unknown); ``normals`` or
    ``normals_derived``; the intrinsics. Ids are the official numbers, from 0001.

    Traps: a white border frames most images, where depth is made up; cut it with ``border``. There are no official
    normals: derived ones come from the filled-in depth, by fits of planes. As the ending of their column says, they are
    trained on and never measured.

    Args:
        root: the ``.mat`` file or its folder.
        splits: the authors' file of the official split, ``splits.mat`` (trainNdxs, testNdxs); beside the set by
            default.
        map40: a file with the class (1 to 40) of each of the 894 ids, ``classMapping40.mat`` of Gupta et al. say.
        map13: a file with the class (1 to 13) of each of the 40 classes (or of the 894 ids).
        normals: a folder of normal maps named by the official number; or "derived", to compute them from the depth.
        border: pixels to cut from each side.
    """

    source = Source("the labeled NYU Depth v2", "the NYU Depth v2 page of its authors at cs.nyu.edu (2.8 GB)")
    counts: ClassVar = {"train": 795, "test": 654}

    def __init__(
        self,
        root: str,
        *,
        splits: str | None = None,
        map40: str | None = None,
        map13: str | None = None,
        normals: str | None = None,
        border: int = 0,
    ) -> None:
        if not 0 <= border < 200:
            raise ValueError(f"border is {border}: give the pixels to cut from each side, 0 to 199")
        given = Path(root)
        self.path = given if given.suffix == ".mat" else given / FILE
        self.splits = Path(splits) if splits is not None else self.path.with_name("splits.mat")
        self.maps = {"semantic40": map40, "semantic13": map13}
        self.normals = normals
        self.border = border
        self._reading = threading.Lock()  # HDF5 reads from one thread at a time

    @override
    def table(self, output: Output) -> Table:
        self.source.require(self.path, "the images, depths and labels")
        maps = self._class_maps()
        given = self._given_normals()
        with _open(self.path) as file:
            _check(file, self.path)
            split = self._split_of(len(file["images"]))

            def row(index: int) -> dict[str, str]:
                return self._row(file, index, split[index], maps, given, output)

            return table_of(output.each(row, sorted(split)), output)

    def _row(
        self, file: Any, index: int, split: str, maps: dict[str, np.ndarray], given: dict[int, Path], output: Output
    ) -> dict[str, str]:
        with self._reading:
            image, depth, labels = (file[name][index].T for name in ("images", "depths", "labels"))
        cut = slice(self.border, -self.border or None)
        image, depth, labels = (array[cut, cut] for array in (image, depth, labels))
        fx, fy, cx, cy = INTRINSICS
        camera = (fx, fy, cx - self.border, cy - self.border)
        name = f"{index + 1:04}"
        row = {"id": name, "image": output.save(f"image/{name}", np.ascontiguousarray(image)), "split": split}
        row |= intrinsics(camera)
        for column, classes in maps.items():
            if labels.max() >= len(classes):
                raise DataError(f"{self.path}: image {name} holds id {labels.max()}, but ids end at {len(classes) - 1}")
            row[column] = output.save(f"{column}/{name}", classes[labels])
        known = np.where(np.isfinite(depth) & (depth > 0), depth, 0)
        row["depth"] = output.save(f"depth/{name}", np.rint(known * 1000).clip(0, 65535).astype(np.uint16))
        if self.normals == FROM_DEPTH:
            metres = torch.from_numpy(np.where(known > 0, known, np.nan).astype(np.float32))
            derived = normals_from_depth(metres[None], torch.tensor(camera))
            column = f"normals{DERIVED}"
            row[column] = output.save(f"{column}/{name}", Normals("normals").encode(derived))
        elif self.normals is not None:
            row["normals"] = output.cell(given[index + 1])
        return row

    def _split_of(self, count: int) -> dict[int, str]:
        """Split by index from 0."""
        vectors = read_vectors(self.source.require(self.splits, "the official split (splits.mat)"))
        split: dict[int, str] = {}
        for variable, name in {"trainNdxs": "train", "testNdxs": "test"}.items():
            if variable not in vectors:
                raise DataError(
                    f"{self.splits}: holds no vector {variable}: give the authors' splits.mat with --splits"
                )
            split |= dict.fromkeys((vectors[variable] - 1).tolist(), name)
        if min(split) < 0 or max(split) >= count:
            raise DataError(f"{self.splits}: names image {max(split) + 1}, but {self.path} holds {count} (from 1 on)")
        return split

    def _class_maps(self) -> dict[str, np.ndarray]:
        """Column -> file class of each id, 255 unknown."""
        maps: dict[str, np.ndarray] = {}
        map40, map13 = (None if path is None else Path(path) for path in self.maps.values())
        to40 = None if map40 is None else read_class_map(map40, (_IDS,), 40)
        if to40 is not None:
            maps["semantic40"] = _stored(to40)
        if map13 is not None:
            to13 = read_class_map(map13, (40, _IDS), 13)
            if len(to13) < _IDS and to40 is None:
                raise DataError(f"{map13}: maps the 40 classes: give their map with --map40 too")
            maps["semantic13"] = _stored(to13 if to40 is None or len(to13) == _IDS else np.append(0, to13)[to40])
        return maps

    def _given_normals(self) -> dict[int, Path]:
        """Normal maps by official number."""
        if self.normals in (None, FROM_DEPTH):
            return {}
        folder = Path(self.normals or "")
        found = {int(path.stem): path for path in sorted(folder.glob("*")) if path.stem.isdecimal()}
        if not found:
            raise DataError(f"{folder}: holds no normal map named by its number (0001.png): check --normals")
        return _Complete(found, folder)


class _Complete(dict[int, Path]):
    """Paths by number; a missing one is said in words."""

    def __init__(self, paths: dict[int, Path], folder: Path) -> None:
        super().__init__(paths)
        self.folder = folder

    def __missing__(self, number: int) -> Path:
        raise DataError(f"{self.folder}: holds no normal map {number:04}: it needs one per image of the set")


def _stored(classes: np.ndarray) -> np.ndarray:
    """Classes from 1 (0 none) by id from 1, as file classes from 0 by id from 0."""
    return np.where(np.append(0, classes) > 0, np.append(0, classes) - 1, _UNKNOWN).astype(np.uint8)


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path}: reading it needs h5py: pip install 'crosstask[hdf5]'") from None
    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a whole HDF5 file ({reason}): download it again (2.8 GB)") from None


def _check(file: Any, path: Path) -> None:
    for name in ("images", "depths", "labels"):
        if name not in file:
            raise DataError(f"{path}: holds no {name}: it should be {FILE}, the labeled set")
