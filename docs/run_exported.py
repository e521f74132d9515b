"""Run an exported network on a photo, at the scale it was measured at; needs torch or onnxruntime, numpy and Pillow.

    python run_exported.py network.onnx photo.jpg

prints what each output says of the photo, at the photo's own size. Nothing of crosstask is imported.
"""

import json
import sys

import numpy as np
from PIL import Image


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


def predict(program, metadata, image):
    """Natural values of an RGB image, uint8 (H, W, 3): maps (C, H, W) at its own size, vectors (C,)."""
    own = image.shape[:2]
    shown = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32) / 255
    place = (slice(None), slice(None), slice(None))
    if metadata["input"]["fit"]:
        size = metadata["input"]["size"]
        scale = min(size[0] / own[0], size[1] / own[1])
        inner = [max(round(side * scale), 1) for side in own]
        top, left = ((side - within + 1) // 2 for side, within in zip(size, inner, strict=True))
        place = (slice(None), slice(top, top + inner[0]), slice(left, left + inner[1]))
        framed = np.zeros((3, *size), np.float32)
        framed[place] = resize(shown, inner)
        shown = framed
    values = {}
    for name, value in program(shown[None]).items():
        value = value[0]
        if value.ndim == 3:
            value = resize(value[place], own)
            if metadata["outputs"][name]["unit"] == "unit vector":
                value = value / np.linalg.norm(value, axis=0, keepdims=True)
        values[name] = value
    return values


if __name__ == "__main__":
    run, about = load(sys.argv[1])
    for task, found in predict(run, about, np.asarray(Image.open(sys.argv[2]).convert("RGB"))).items():
        classes = about["outputs"][task]["classes"]
        if classes and about["outputs"][task]["kind"] in ("segmentation", "category"):
            best, counts = np.unique(found.argmax(0), return_counts=True)
            print(task, {classes[index]: int(count) for index, count in zip(best, counts, strict=True)})
        elif found.ndim == 3:
            print(task, found.shape, f"median {np.median(found):.3g} {about['outputs'][task]['unit']}")
        else:
            print(task, dict(zip(classes, found.round(3).tolist(), strict=False)) or found.tolist())
