"""Data sets of Hugging Face's library: a saved one, Parquet files, a folder of images, or a name on the hub."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosstask.data.adapters.base import Adapter, Output, Source, table_of
from crosstask.data.adapters.huggingface_columns import Column, columns_of
from crosstask.data.adapters.huggingface_pictures import picture
from crosstask.data.table.table import Table
from crosstask.errors import DataError, nearest
from crosstask.strict_yaml import dump_yaml
from crosstask.writing import write

_SPLITS = {"validation": "val", "valid": "val"}


class HuggingFace(Adapter):
    """A data set in the form of Hugging Face's ``datasets``; images and masks become files, splits are kept.

    ``ROOT`` is a folder of ``save_to_disk``, Parquet files (or a folder of them), a folder of images as ``imagefolder``
    reads them (with ``metadata.csv`` or ``.jsonl`` if there is one), or a name on the hub, which needs the network.

    A ClassLabel becomes a category, a sequence of them tags, a number or a list of numbers scalars, a boolean a tag,
    and a second image of one channel a segmentation (saliency where it holds 0 and 255 alone; depth where its name
    says so), unless it is lossy or has colours. Text and whole numbers are categories where they are listed in
    ``categories``, or called label. Other columns are named and left out.

    Args:
        root: the folder, file or name.
        config: which of the configurations of a set on the hub.
        image: the column of the images; the one called image, or the first, unless given.
        masks: columns of class maps; it is an error where they are none.
        categories: columns of text or whole numbers that are categories.
        leave: columns to leave out.
    """

    source = Source("the data set", "the hub at huggingface.co")

    def __init__(
        self,
        root: str,
        *,
        config: str | None = None,
        image: str | None = None,
        masks: list[str] | None = None,
        categories: list[str] | None = None,
        leave: list[str] | None = None,
    ) -> None:
        self.root, self.config, self.image = root, config, image
        self.masks, self.categories, self.leave = masks or [], categories or [], leave or []

    def table(self, output: Output) -> Table:
        """The table; images and masks that lie in Arrow or Parquet files are written as files.

        Raises:
            DataError: there is no such set, no column of images, or no label.
        """
        library = _library()
        with tempfile.TemporaryDirectory(prefix="crosstask-") as cache:
            parts = _load(library, self.root, self.config, cache)
            features = next(iter(parts.values())).features
            image = self._image(features, library)
            asked = dict.fromkeys(self.masks, "segmentation") | dict.fromkeys(self.categories, "category")
            for name in (*asked, *self.leave):
                if name not in features:
                    raise DataError(f"{self.root}: has no column {name!r}; {nearest(name, features)}")
            columns, left = columns_of(features, {image, *self.leave}, asked)
            rows = self._rows(parts, image, columns, left, output, library)
        tasks = {column.name: column.task() for column in columns}
        if not tasks:
            raise DataError(
                f"{self.root}: no column is a label that a task can use ({'; '.join(left) or 'only images'})"
            )
        names = {
            name: options["classes"] for name, options in tasks.items() if isinstance(options.get("classes"), list)
        }
        write(output.files / "classes.json", json.dumps(names, indent=1, ensure_ascii=False))
        fragment = dump_yaml({"tasks": tasks}, default_flow_style=None, width=110)
        self.said = (*(f"left out: {each}" for each in left), "for the recipe:", *fragment.rstrip().splitlines())
        return table_of(rows, output)

    def _image(self, features: Mapping[str, Any], library: Any) -> str:
        found = [name for name, kind in features.items() if isinstance(kind, library.Image)]
        if self.image is not None and self.image not in found:
            raise DataError(f"{self.root}: --image {self.image}: no column of images; {nearest(self.image, found)}")
        if not found:
            raise DataError(f"{self.root}: no column holds images ({', '.join(features)}): a table needs images")
        return self.image or next((name for name in ("image", "img", "pixel_values") if name in found), found[0])

    def _rows(
        self, parts: Mapping[str, Any], image: str, columns: list[Column], left: list[str], output: Output, library: Any
    ) -> list[dict[str, str]]:
        work = []
        for split, part in parts.items():
            for name, kind in part.features.items():
                if isinstance(kind, library.Image):
                    part = part.cast_column(name, library.Image(decode=False))
            named = _ids(part)
            work += [(split, part, index, named) for index in range(len(part))]
        several = len(parts) > 1

        def row(item: tuple[str, Any, int, str | None]) -> dict[str, str]:
            split, part, index, named = item
            entry = part[index]
            name = str(entry[named]) if named else f"{index:06d}"
            identifier = f"{split}/{name}" if several or not named else name
            where = f"{self.root}, {split} {index}"
            shown = picture(entry[image], f"images/{split}/{name}", output, where)
            cells = {"id": identifier, "image": output.cell(shown), "split": _SPLITS.get(split, split)}
            for column in columns:
                cells[column.name] = column.cell(entry[column.source], f"{column.name}/{split}/{name}", output, where)
            return cells

        rows = output.each(row, work)
        for column, why in [(each, why) for each in columns if (why := each.refusal)]:
            if column.source in self.masks:
                raise DataError(f"{self.root}: --masks {column.source}: {why}")
            columns.remove(column)
            left.append(f"{column.source} ({why})")
            for cells in rows:
                del cells[column.name]
        return rows


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError("this needs datasets: pip install 'crosstask[huggingface]'") from None
    datasets.disable_progress_bars()
    return datasets


def _load(library: Any, root: str, config: str | None, cache: str) -> dict[str, Any]:
    """The splits by name."""
    path = Path(root)
    try:
        if not path.exists():
            loaded = library.load_dataset(root, config)
        elif (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
            loaded = library.load_from_disk(root)
        elif files := sorted(path.rglob("*.parquet")) if path.is_dir() else [path] * (path.suffix == ".parquet"):
            found: dict[str, list[str]] = {}
            for file in files:
                found.setdefault(_split(file), []).append(str(file))
            loaded = {name: library.Dataset.from_parquet(each, cache_dir=cache) for name, each in found.items()}
        elif path.is_dir():
            loaded = library.load_dataset("imagefolder", data_dir=str(path.absolute()), cache_dir=cache)
        else:
            raise DataError(f"{root}: is neither a folder nor a Parquet file: give one of these, or a name on the hub")
    except DataError:
        raise
    except Exception as error:  # whatever a library of many formats and its network may raise
        text = " ".join(str(error).split())[:200]
        what = "cannot be read" if path.exists() else "is no folder here, and cannot be had from the hub"
        raise DataError(f"{root}: {what} ({type(error).__name__}: {text})") from None
    parts = dict(loaded) if isinstance(loaded, Mapping) else {str(getattr(loaded, "split", None) or "train"): loaded}
    parts = {str(name): part for name, part in parts.items() if len(part)}
    if not parts:
        raise DataError(f"{root}: holds no row")
    return parts


def _split(path: Path) -> str:
    """The split that a Parquet file is of: ``train-00000-of-00002.parquet``, ``test.parquet``."""
    from crosstask.data.exchange.images import split_in

    return split_in(path.stem, path.parent.name) or "train"


def _ids(part: Any) -> str | None:
    """The column that names each row, if there is one."""
    for name in ("id", "image_id", "file_name"):
        if name in part.features and len(set(map(str, part[name]))) == len(part):
            return name
    return None
