"""Any encoder of timm that can give feature maps."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from crosstask.errors import RecipeError
from crosstask.networks.encoder import IMAGENET_MEAN, IMAGENET_STD, Encoder
from crosstask.networks.packaged import EXTRA, PACKAGES, packaged_weights
from crosstask.networks.weights import check_loaded, read_weights, reason

FINEST_STRIDE = 4
HUB = ("hf-hub:", "hf_hub:")
OURS = frozenset(
    ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "features_only")
)
"""Options of timm that say what is read from where: a recipe of somebody else has no say in that."""


class TimmEncoder(Encoder):
    """The feature maps of a timm model, those of stride 4 and coarser unless ``out_indices`` picks others.

    Maps of stride 2 and 1 come from a stem that has seen next to nothing, and heads at their size would cost more than
    the encoder.

    A plain vision transformer gives the maps after its last three blocks unless told, all of one stride: for others,
    ``out_indices: [5, 11, 17, 23]``. Blocks behind the last of them are dropped. Images may have any size, to which
    (pretrained) positional embeddings are resized; ``img_size`` does so once and for all.

    HRNets of timm end in wide maps made for classification, 128 to 1024 channels: ``feature_location: ""`` gives those
    of the branches, 18 to 144 for W18, as papers on dense prediction use them.

    Args:
        name: a name known to timm, with its tag of weights if there is one (``resnet50.a1_in1k``), or
            ``local-dir:FOLDER`` or ``hf-hub:OWNER/NAME``. A hub is asked only where ``pretrained`` weights are fetched.
        pretrained: load the weights timm has for it (downloaded once, then cached), or those of an installed package
            (:mod:`~crosstask.networks.packaged`), which need no network.
        weights: load this file (``.safetensors``, ``.pth``) instead.
        options: passed to ``timm.create_model``: ``output_stride``, ``out_indices``, ``drop_path_rate``, ``img_size``.

    Raises:
        RecipeError: an unknown name or option, an encoder without feature maps, or weights that cannot be had.
    """

    def __init__(
        self, name: str, pretrained: bool = False, weights: str | None = None, options: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        options = dict(options or {})
        self.body = _create(name, pretrained, weights, options)
        strides, channels = self.body.feature_info.reduction(), self.body.feature_info.channels()
        fine_enough = [index for index, stride in enumerate(strides) if stride >= FINEST_STRIDE]
        self.levels = fine_enough if fine_enough and "out_indices" not in options else list(range(len(strides)))
        self.channels = [channels[level] for level in self.levels]
        self.strides = [strides[level] for level in self.levels]
        self.multiple = max(level["reduction"] for level in self.body.feature_info.info)
        self.channels_last = getattr(getattr(self.body, "output_fmt", None), "value", "NCHW") == "NHWC"
        config = getattr(self.body, "pretrained_cfg", None) or {}
        self.mean, self.std = config.get("mean", IMAGENET_MEAN), config.get("std", IMAGENET_STD)

    @override
    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.body(images)
        maps = [maps[level] for level in self.levels]
        return [each.permute(0, 3, 1, 2) for each in maps] if self.channels_last else maps


def _create(name: str, pretrained: bool, weights: str | None, options: dict[str, Any]) -> Any:
    import timm

    if name.startswith(HUB):
        name = _stored(name, asks=pretrained and weights is None)
    elif not name.startswith("local-dir:") and not timm.is_model(name):
        raise RecipeError(f"network.encoder: there is no {name!r}; {_nearest(name, timm.list_models())}")
    tensors = read_weights(weights) if weights is not None else packaged_weights(name) if pretrained else None
    if odd := next((key for key in options if key in OURS), None):
        raise RecipeError(
            f"network.encoder_options.{odd}: is none of the encoder's own (found {options[odd]!r:.80}): say where "
            "weights come from with network.pretrained and network.weights"
        )
    if options.get("in_chans", 3) != 3:
        raise RecipeError(
            f"network.encoder_options.in_chans: found {options['in_chans']!r:.80}: images have 3 colours here, "
            "grey ones too: leave it out"
        )
    arguments = {"features_only": True, **options}
    if tensors is not None:
        arguments |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(tensors)}}
    elif pretrained:
        arguments["pretrained"] = True
    try:
        with _quiet(tensors is not None):
            body = _any_size(timm.create_model, name, arguments)
    except RecipeError:
        raise
    except TypeError as error:
        raise RecipeError(f"network.encoder_options: not valid for encoder {name!r} ({reason(error)})") from error
    except Exception as error:
        if weights is not None:
            raise RecipeError(
                f"network.weights: {weights!r} does not fit encoder {name!r} ({reason(error)})"
            ) from error
        if pretrained:
            raise RecipeError(
                f"network.pretrained: no weights for encoder {name!r} could be had ({reason(error)}): "
                f"{_package(name)}give a local file as network.weights, or set network.pretrained to false"
            ) from error
        raise RecipeError(
            f"network.encoder: {name!r} cannot give feature maps with options {options or 'left alone'} "
            f"({reason(error)}): choose another encoder"
        ) from error
    _require_ascending(body, options.get("out_indices"))
    if tensors is not None:
        check_loaded(body, tensors, str(weights or "the package"))
    return body


def _require_ascending(body: Any, given: Any) -> None:
    """timm gives maps in the order of the network, and says of them what they are in the order that was asked for."""
    if not isinstance(given, (list, tuple)):
        return
    count = len(body.feature_info.info)
    places = [index % count for index in given]
    if not places or places != sorted(set(places)):
        raise RecipeError(
            f"network.encoder_options.out_indices: found {list(given)}: name at least one map, each once, from fine to "
            "coarse"
        )


def _stored(name: str, asks: bool) -> str:
    """The encoder of a hub as the folder it was stored in before, so that no network is asked; only training with
    pretrained weights may ask for one that is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name.partition(":")[2].partition("@")[0], "config.json")
    if isinstance(found, str) and not asks:
        return f"local-dir:{Path(found).parent}"
    if not asks:
        raise RecipeError(
            f"network.encoder: {name!r} lies on a hub and was not stored on this machine, and only training with "
            "network.pretrained: true asks the network for it: train so first, or name an encoder of timm's own"
        )
    return name


@contextmanager
def _quiet(quiet: bool) -> Iterator[None]:
    """Without timm's list of tensors an encoder has no use for (its head's): what was loaded is checked here."""
    logger = logging.getLogger("timm.models._builder")
    before = logger.level
    if quiet:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _package(name: str) -> str:
    return f"pip install 'crosstask[{EXTRA}]', " if name in PACKAGES else ""


def _any_size(create: Any, name: str, arguments: dict[str, Any]) -> nn.Module:
    """The model; a transformer made for one image size is asked to take any."""
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if not (config and config.fixed_input_size):
        return create(name, **arguments)
    try:
        return create(name, **{"dynamic_img_size": True} | arguments)
    except TypeError:
        sized = arguments.get("img_size")
        model = create(name, **arguments if sized else arguments | {"pretrained": False})  # raises where not valid
        if sized:
            model.only = (sized, sized) if isinstance(sized, int) else tuple(sized)
            return model
    size = "x".join(map(str, config.input_size[1:]))
    raise RecipeError(
        f"network.encoder: {name!r} takes images of one size only ({size} unless told): set network.encoder_options."
        "img_size to that of your images, or choose another encoder"
    )


def _nearest(name: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(name, ["small", *valid], n=3)
    return (
        f"did you mean {' or '.join(map(repr, close))}?"
        if close
        else "give 'small', 'segnet' or any of timm.list_models()"
    )
