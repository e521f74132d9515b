"""Training on very many images, on paper: images a second per GPU from measured FLOPs, and the storage and network this
needs. Only the FLOPs are measured; what a GPU reaches, the bytes of an image and what a core decodes are assumed.
"""

from __future__ import annotations

from crosstask.networks.describe import describe
from crosstask.recipe import Recipe

IMAGES = 10**8
GPUS = (8, 64, 512)
PEAK = 989e12
"""Assumed: FLOP/s of a GPU, dense bf16 (an H100)."""
NETWORKS = {"tf_efficientnet_lite0": 0.05, "resnet101": 0.3}
"""Encoder -> assumed: the part of the peak that it reaches (depthwise convolutions wait for memory)."""
BYTES = 110_000 + 25_000
"""Assumed: a JPEG of 640x480, and the PNG labels that one image has on average."""
DECODED = 100.0
"""Assumed: images a second and core, decoded and augmented (measure: python -m benchmarks loading)."""


def main() -> int:
    whole = IMAGES * BYTES
    print(f"{IMAGES:.0e} images of {BYTES / 1e3:.0f} kB: {whole / 1e12:.1f} TB, in {whole / 2**28:,.0f} shards")
    for encoder, reached in NETWORKS.items():
        recipe = Recipe.load("coco", ["--network.pretrained=false", f"--network.encoder={encoder}"])
        found = describe(recipe.network(recipe.tasks()), recipe.data.size)
        flops = 3 * found["flops"]  # forward, and backward with respect to inputs and to weights
        rate = PEAK * reached / flops
        size = f"{found['parameters'] / 1e6:.1f} M parameters, {flops / 1e9:.1f} GFLOPs a step and image"
        needs = f"{rate:,.0f} images/s, {rate * BYTES / 1e9:.2f} GB/s, {rate / DECODED:,.0f} cores"
        print(f"{encoder} at 320x320: {size}; a GPU at {reached:.0%} of its peak: {needs}")
        for count in GPUS:
            print(
                f"  {count:4} GPUs: {IMAGES / (rate * count) / 3600:6.3f} h an epoch, "
                f"{rate * count * BYTES / 1e9:7.1f} GB/s, {rate * count / DECODED:8,.0f} cores"
            )
    return 0


if __name__ == "__main__":
    main()
