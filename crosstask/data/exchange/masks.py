"""Shapes to masks, masks to polygons, and the class map of an image.

A pixel belongs to a polygon when its centre does; the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crosstask.data.exchange.items import Item, Size

Points = Sequence[float]
"""x0, y0, x1, y1, ... in pixels."""


def polygon_mask(polygons: Sequence[Points]) -> Callable[[Size], np.ndarray]:
    """The union of polygons, as the ``mask`` of a shape."""

    def mask(size: Size) -> np.ndarray:
        from skimage.draw import polygon

        drawn = np.zeros(size, bool)
        for points in polygons:
            corners = np.asarray(points, float).reshape(-1, 2) - 0.5
            drawn[polygon(corners[:, 1], corners[:, 0], size)] = True
        return drawn

    return mask


def ellipse_mask(x: float, y: float, across: float, down: float, angle: float = 0.0) -> Callable[[Size], np.ndarray]:
    """An ellipse around (x, y) with these two radii, turned clockwise by ``angle`` degrees, as the ``mask`` of a
    shape."""

    def mask(size: Size) -> np.ndarray:
        rows, columns = np.mgrid[: size[0], : size[1]]
        centres = turned(np.stack((columns, rows), -1) + 0.5, x, y, -angle)
        return ((centres[..., 0] - x) / across) ** 2 + ((centres[..., 1] - y) / down) ** 2 <= 1

    return mask


def turned(points: np.ndarray, x: float, y: float, angle: float) -> np.ndarray:
    """Points (..., 2) turned clockwise, as seen, by ``angle`` degrees around (x, y)."""
    turn = np.deg2rad(angle)
    turning = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (points - [x, y]) @ turning + [x, y]


def box_corners(left: float, top: float, right: float, bottom: float, angle: float = 0.0) -> list[float]:
    """The corners of a box turned clockwise by ``angle`` degrees around its left upper corner, as points."""
    turn = np.deg2rad(angle)
    along, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    start, width, height = np.array([left, top]), right - left, bottom - top
    corners = (start, start + width * along, start + width * along + height * down, start + height * down)
    return [float(value) for corner in corners for value in corner]


def polygons_of(mask: np.ndarray, tolerance: float = 0.05) -> list[list[float]]:
    """The outlines of the parts of a mask (H, W), as points; holes are outlines too, and not returned.

    Args:
        mask: the mask.
        tolerance: how far, in pixels, a simplified outline may be from the exact one.
    """
    from skimage.measure import approximate_polygon, find_contours

    outlines = []
    for contour in find_contours(np.pad(mask.astype(np.float32), 1), 0.5, fully_connected="low"):
        y, x = contour[:, 0], contour[:, 1]
        if np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) < 0:  # around what is lower: a hole
            continue
        corners = approximate_polygon(contour, tolerance)[:-1] - 0.5  # -1 for the padding, +0.5 for the centres
        if len(corners) >= 3:
            outlines.append([float(value) for value in corners[:, ::-1].ravel()])
    return outlines


def class_map(
    item: Item, size: Size, index: Mapping[str, int], *, background: int, unknown: int, seen: bool
) -> tuple[np.ndarray, int]:
    """The class of each pixel, and how many shapes covered none.

    Boxes, whose pixels are unknown, lie below all shapes; shapes are drawn by their order, and from large to small.

    Args:
        item: the image.
        size: its height and width.
        index: the class of each name.
        background: the value of what nothing covers.
        unknown: the value of what is unknown.
        seen: whether boxes make their pixels unknown.
    """
    canvas = np.full(size, background, np.uint8 if unknown < 256 else np.uint16)
    if seen:
        for left, top, right, bottom in (box.sides for box in item.boxes):
            rows = slice(max(int(np.floor(top)), 0), max(int(np.ceil(bottom)), 0))
            canvas[rows, max(int(np.floor(left)), 0) : max(int(np.ceil(right)), 0)] = unknown
    drawn = [(shape, shape.mask(size)) for shape in item.shapes]
    sizes = [int(mask.sum()) for _, mask in drawn]
    order = sorted(range(len(drawn)), key=lambda place: (drawn[place][0].order, -sizes[place]))
    for place in order:
        shape, mask = drawn[place]
        canvas[mask] = unknown if shape.unknown else index[shape.label]
    return canvas, sizes.count(0)
