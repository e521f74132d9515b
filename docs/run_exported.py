"""Run an exported network on a photo, at the scale it was measured at; needs torch or onnxruntime, numpy and Pillow.

    python run_exported.py network.onnx photo.jpg

prints what each output says of the photo, at the photo's own size. Nothing of crosstask is imported.
"""

import json
import sys

import numpy as np
from PIL import Image, ImageOps


def load(path):
    """The program as a function of (B, 3, H, W) images, and its metadata. Only for files you trust."""
    if path.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        metadata = json.loads(session.get_modelmeta().custom_metadata_map["crosstask.json"])
        names = list(metadata["outputs"])
        return (lambda images: dict(zip(names, session.run(names, {"images": images}), strict=True))), metadata
    import torch

    extra = {"crosstask.json": ""}
    program = torch.export.load(path, extra_files=extra).module()
    with_arrays = lambda images: {k: v.detach().numpy() for k, v in program(torch.from_numpy(images)).items()}  # noqa: E731
    return with_arrays, json.loads(extra["crosstask.json"])


def resize(maps, size):
    """Maps (C, H, W) to ``size`` (height, width), bilinear, antialiased when shrinking."""
    return np.stack([np.asarray(Image.fromarray(each).resize(size[::-1], Image.Resampling.BILINEAR)) for each in maps])


def by_windows(program, size):
    """A program that takes images of ``size`` only, for larger ones: windows, averaged where they overlap."""

    def starts(length, window):
        steps = -(-length // window) - 1
        return [round(step * (length - window) / steps) for step in range(steps + 1)] if steps else [0]

    def run(images):
        seen, total, count = np.zeros(images.shape[2:], np.float32), {}, 0
        for top in starts(images.shape[2], size[0]):
            for left in starts(images.shape[3], size[1]):
                place = (..., slice(top, top + size[0]), slice(left, left + size[1]))
                seen[place] += 1
                count += 1
                for name, value in program(np.ascontiguousarray(images[place])).items():
                    dense = value.ndim == 4
                    whole = (*value.shape[:2], *images.shape[2:]) if dense else value.shape
                    total.setdefault(name, np.zeros(whole, np.float32))[place if dense else ...] += value
        return {name: value / (seen if value.ndim == 4 else count) for name, value in total.items()}

    return run


def read(path):
    """A photo as uint8 (H, W, 3), of 16-bit grey as uint16, the way up its EXIF orientation says."""
    photo = ImageOps.exif_transpose(Image.open(path))
    if photo.mode.startswith("I"):  # which convert() would clip to white
        return np.repeat(np.asarray(photo).astype(np.uint16)[..., None], 3, axis=2)
    return np.asarray(photo.convert("RGB"))


def predict(program, metadata, image):
    """Natural values of an RGB image, uint8 or uint16 (H, W, 3): maps (C, H, W) at its own size, vectors (C,)."""
    own = image.shape[:2]
    shown = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32) / np.iinfo(image.dtype).max
    size = metadata["input"]["size"]
    if metadata["input"]["scale"] == "cover":
        scale = max(size[0] / own[0], size[1] / own[1])
        scale = min(scale, (16 * size[0] * size[1] / (own[0] * own[1])) ** 0.5)
        shown = resize(shown, [max(round(side * scale), 1) for side in own])
    run = program if "height" in metadata["input"]["dynamic"] else by_windows(program, size)
    values = {}
    for name, value in run(shown[None]).items():
        value = value[0]
        if value.ndim == 3:
            value = resize(value, own)
            if metadata["outputs"][name]["unit"] == "unit vector":
                value = value / np.linalg.norm(value, axis=0, keepdims=True)
        values[name] = value
    return values


if __name__ == "__main__":
    run, about = load(sys.argv[1])
    for task, found in predict(run, about, read(sys.argv[2])).items():
        classes = about["outputs"][task]["classes"]
        if classes and about["outputs"][task]["kind"] in ("segmentation", "category"):
            best, counts = np.unique(found.argmax(0), return_counts=True)
            print(task, {classes[index]: int(count) for index, count in zip(best, counts, strict=True)})
        elif found.ndim == 3:
            print(task, found.shape, f"median {np.median(found):.3g} {about['outputs'][task]['unit']}")
        else:
            print(task, dict(zip(classes, found.round(3).tolist(), strict=False)) or found.tolist())
