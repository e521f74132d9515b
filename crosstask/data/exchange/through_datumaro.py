"""What Datumaro reads, in the form of all formats: an extra, imported when a format is read or written through it."""

from __future__ import annotations

import contextvars
import logging
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from crosstask.data.exchange.items import LOWEST, Box, Collection, Item, Shape, Size, is_void
from crosstask.data.exchange.masks import ellipse_mask, polygon_mask
from crosstask.errors import DataError

LABELS = "labels"
_OUTDATED = ("__array__ implementation doesn't accept a copy keyword", "Saving I mode images as PNG is deprecated")
"""What the library and pycocotools do that NumPy and Pillow will not accept for ever."""
_COVERING = ("voc", "camvid", "kitti_segmentation", "common_semantic_segmentation", "ade20k", "mapillary", "synthia")


def require_datumaro() -> Any:
    """The library.

    Raises:
        DataError: it is not installed.
    """
    try:
        import datumaro
    except ImportError:
        raise DataError("this format needs datumaro: pip install 'crosstask[formats]'") from None
    for message in _OUTDATED:
        warnings.filterwarnings("ignore", message, DeprecationWarning)
    return datumaro


def known() -> list[str]:
    """The formats that the library reads."""
    require_datumaro()
    from datumaro.components.environment import DEFAULT_ENVIRONMENT

    return sorted(DEFAULT_ENVIRONMENT.importers)


def read_through_datumaro(root: Path, images: Path | None, name: str) -> Collection:
    """A data set in a format that Datumaro reads.

    Masks, polygons and ellipses are shapes; boxes that belong to no shape stay boxes; labels of images are kept;
    whatever else there is (points, lines, captions, cuboids, attributes) is counted.

    Args:
        root: the folder or file.
        images: where the images lie, for formats that look for them in ``images`` beside the annotations.
        name: the name of the format in the library, or voc.

    Raises:
        DataError: the library is not there, or cannot read this.
    """
    dm = require_datumaro()
    staged = _stage(root, images, name)
    kind = _voc(Path(staged.name)) if name == "voc" and staged is not None else name
    with quiet() as said:
        try:
            dataset = dm.Dataset.import_from(str(root if staged is None else staged.name), kind)
            categories = dataset.categories().get(dm.AnnotationType.label)
            names = [entry.name for entry in categories.items] if categories is not None else []
            found = Collection([], [each for each in names if not is_void(each)], {LABELS: names})
            found.covering, found.federated = name.startswith(_COVERING), name == "open_images"
            for entry in dataset:
                item = _item(entry, names, found, dm.AnnotationType)
                if item is not None:
                    found.items.append(item)
        except DataError:
            raise
        except Exception as error:  # whatever a library of many formats may raise
            text = " ".join(str(error.__cause__ or error).split())[:200]
            raise DataError(f"{root}: cannot be read as {name} ({type(error).__name__}: {text})") from None
    found.notes += [f"{name}: {text}" for text in list(dict.fromkeys(said))[:3]]
    if staged is not None:
        weakref.finalize(found, staged.cleanup)
    if not found.items:
        raise DataError(f"{root}: holds no image with annotations in the format {name}")
    return found


def _item(entry: Any, names: list[str], found: Collection, types: Any) -> Item | None:
    path = getattr(entry.media, "path", None)
    if not path or not Path(path).is_file():
        found.unused["annotations of images that are not there"] += 1
        return None
    subset = "" if entry.subset == "default" else str(entry.subset)
    item = Item(str(entry.id), Path(path).resolve(), subset)
    item.seen = bool(entry.annotations)
    with_shape = {
        each.group
        for each in entry.annotations
        if each.group and each.type in (types.mask, types.polygon, types.ellipse)
    }
    for each in entry.annotations:
        label = getattr(each, "label", None)
        name = names[label] if label is not None and label < len(names) else None
        kind = each.type.name
        if set(each.attributes) - {"occluded", "is_crowd", "username", "score"}:
            found.unused["attributes of annotations"] += 1
        if name is None:
            found.unused[f"{kind} annotations without a class"] += 1
        elif each.type == types.label and found.federated and not each.attributes.get("score", 1):
            item.labels.setdefault(LABELS, [])
            item.absent.add(name)
        elif each.type == types.label:
            item.labels.setdefault(LABELS, []).append(name)
        elif (mask := _mask(each, types)) is not None:
            crowd = bool(each.attributes.get("is_crowd"))
            order = LOWEST if crowd else int(getattr(each, "z_order", 0))
            item.shapes.append(Shape(name, mask, crowd or is_void(name), order))
        elif each.type == types.bbox:
            if each.group not in with_shape:
                left, top, right, bottom = map(float, each.points)
                item.boxes.append(Box(name, (left, top, right, bottom)))
        else:
            found.unused[f"{kind} annotations"] += 1
    return item


def _mask(annotation: Any, types: Any) -> Any:
    if annotation.type == types.mask:
        context = contextvars.copy_context()

        def mask(size: Size) -> np.ndarray:
            # the library keeps settings in a context that its threads alone have
            stored = np.asarray(context.copy().run(lambda: annotation.image)).astype(bool)
            if stored.shape != size:
                raise DataError(f"a mask of {stored.shape[1]}x{stored.shape[0]} for an image of {size[1]}x{size[0]}")
            return stored

        return mask
    if annotation.type == types.polygon:
        return polygon_mask([annotation.points])
    if annotation.type == types.ellipse:
        left, top, right, bottom = annotation.points
        return ellipse_mask((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2)
    return None


def _stage(root: Path, images: Path | None, name: str) -> tempfile.TemporaryDirectory | None:
    """A folder of links where the library would look in vain, or in the wrong place.

    VOC's maps of objects leave out the background and would be taken for the maps of classes.
    """
    if not (name == "voc" or images is not None):
        return None
    folder = root if root.is_dir() else root.parent
    if name == "voc":
        folder = next((path.parent for path in sorted(folder.rglob("ImageSets")) if path.is_dir()), folder)
    staged = tempfile.TemporaryDirectory(prefix="crosstask-")
    for path in [root] if root.is_file() else folder.iterdir():
        if path.name != "SegmentationObject" and not (images is not None and path.name == "images"):
            (Path(staged.name) / path.name).symlink_to(path.absolute())
    if images is not None:
        (Path(staged.name) / ("JPEGImages" if name == "voc" else "images")).symlink_to(images.absolute())
    return staged


def _voc(root: Path) -> str:
    lists = root / "ImageSets"
    kinds = {"Segmentation": "voc_segmentation", "Main": "voc"}
    return next((kind for folder, kind in kinds.items() if (lists / folder).is_dir()), "voc")


@contextmanager
def quiet() -> Iterator[list[str]]:
    """What the library warns of, instead of printing it image by image."""
    said: list[str] = []

    class Kept(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            if record.levelno >= logging.WARNING and not str(record.msg).startswith("Item %s"):
                said.append(record.getMessage())
            return False

    kept = Kept()
    logging.root.addFilter(kept)
    try:
        yield said
    finally:
        logging.root.removeFilter(kept)
