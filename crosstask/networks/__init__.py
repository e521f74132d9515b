"""Networks: images in, one raw prediction per task out."""

from crosstask.networks.describe import describe
from crosstask.networks.encoders import ENCODERS, build_encoder
from crosstask.networks.multitask import DECODERS, MultiTaskNetwork

NETWORKS: dict[str, type[MultiTaskNetwork]] = {"multitask": MultiTaskNetwork}

__all__ = ["DECODERS", "ENCODERS", "NETWORKS", "MultiTaskNetwork", "build_encoder", "describe"]
