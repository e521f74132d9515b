"""SAM with tiny random networks, saved and loaded the way real checkpoints are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from crosstask.errors import RecipeError
from crosstask.regions import Sam
from crosstask.regions.sam import paint

transformers = pytest.importorskip("transformers")


def tiny_sam(folder: Path) -> None:
    vision = transformers.SamVisionConfig(
        hidden_size=16, output_channels=16, num_hidden_layers=1, num_attention_heads=2, image_size=64, patch_size=8,
        mlp_dim=16, global_attn_indexes=[0], window_size=2, num_pos_feats=8,
    )  # fmt: skip
    prompt = transformers.SamPromptEncoderConfig(hidden_size=16, image_size=64, patch_size=8, mask_input_channels=4)
    decoder = transformers.SamMaskDecoderConfig(
        hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16,
        attention_downsample_rate=1,
    )  # fmt: skip
    config = transformers.SamConfig(
        vision_config=vision.to_dict(), prompt_encoder_config=prompt.to_dict(), mask_decoder_config=decoder.to_dict()
    )
    transformers.SamModel(config).save_pretrained(folder)
    processor = transformers.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    transformers.SamProcessor(processor).save_pretrained(folder)


def tiny_sam2(folder: Path) -> None:
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[64, 64], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=16,
    )  # fmt: skip
    prompt = transformers.Sam2PromptEncoderConfig(hidden_size=16, image_size=64, patch_size=16, mask_input_channels=4)
    decoder = transformers.Sam2MaskDecoderConfig(
        hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16
    )
    config = transformers.Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    transformers.Sam2Model(config).save_pretrained(folder)
    processor = transformers.Sam2ImageProcessor(size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16})
    transformers.Sam2Processor(processor).save_pretrained(folder)


@pytest.fixture(scope="module", params=[tiny_sam, tiny_sam2], ids=["sam", "sam2"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        folder = tmp_path_factory.mktemp("checkpoint")
        request.param(folder)
    return str(folder)


def anything(checkpoint: str, **options: float) -> Sam:
    """A provider that drops nothing, however bad a random network thinks its masks are."""
    keep_all = {"iou_threshold": -1e9, "stability_threshold": 0.0, "nms_threshold": 1.0}
    return Sam(checkpoint, points_per_side=3, device="cpu", **{**keep_all, **options})


def photo() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return noise.repeat(8, 0).repeat(8, 1)


def test_masks_become_ids(checkpoint: str) -> None:
    ids = anything(checkpoint)(photo())
    assert ids.dtype == np.int32
    assert ids.shape == (48, 64)
    assert ids.max() >= 0
    values = np.unique(ids)
    np.testing.assert_array_equal(values[values >= 0], np.arange(ids.max() + 1))


def test_ids_are_those_of_the_pipeline_painted(checkpoint: str) -> None:
    from PIL import Image

    generate = transformers.pipeline("mask-generation", model=checkpoint, device="cpu")
    options = {"points_per_crop": 3, "pred_iou_thresh": -1e9, "stability_score_thresh": 0.0, "crops_nms_thresh": 1.0}
    found = generate(Image.fromarray(photo()), **options)
    masks = [np.asarray(mask) for mask in found["masks"]]
    assert masks
    np.testing.assert_array_equal(anything(checkpoint)(photo()), paint(masks, (48, 64)))


def test_points_decoded_in_small_batches_give_the_same_ids(checkpoint: str) -> None:
    together = anything(checkpoint)
    apart = Sam(**{**vars(anything(checkpoint)), "points_per_batch": 2})
    np.testing.assert_array_equal(together(photo()), apart(photo()))
    assert together.parameters() == apart.parameters()


def test_an_image_without_a_good_mask_has_no_region(checkpoint: str) -> None:
    assert (anything(checkpoint, iou_threshold=1e9)(photo()) == -1).all()


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a", "b"):
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    first = Sam(str(tmp_path / "a")).parameters()
    assert first == Sam(str(tmp_path / "b")).parameters()
    (tmp_path / "b" / "model.safetensors").write_bytes(b"others")
    assert first != Sam(str(tmp_path / "b")).parameters()
    assert Sam("facebook/sam-vit-huge").parameters()["checkpoint"] == "facebook/sam-vit-huge"


def test_a_folder_that_holds_no_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be loaded") as caught:
        Sam(str(tmp_path), device="cpu")(photo())
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(RecipeError, match=r"crosstask\[sam\]"):
        Sam(device="cpu")(photo())


@pytest.mark.parametrize("name", ["points_per_side", "points_per_batch"])
def test_a_count_below_one_is_named(name: str) -> None:
    with pytest.raises(RecipeError, match=f"{name} is 0"):
        Sam(**{name: 0})


def test_smaller_masks_win_whatever_their_order() -> None:
    generator = np.random.default_rng(0)
    masks = []
    for _ in range(12):
        mask = np.zeros((20, 30), bool)
        top, left = generator.integers(0, 15), generator.integers(0, 20)
        mask[top : top + generator.integers(1, 12), left : left + generator.integers(1, 18)] = True
        masks.append(mask)
    masks = [mask for index, mask in enumerate(masks) if mask.sum() not in [m.sum() for m in masks[:index]]]
    ids = paint(masks, (20, 30))
    np.testing.assert_array_equal(paint(masks[::-1], (20, 30)), ids)
    owner = np.full((20, 30), -1)
    for row in range(20):
        for column in range(30):
            over = [index for index, mask in enumerate(masks) if mask[row, column]]
            if over:
                owner[row, column] = min(over, key=lambda index: masks[index].sum())
    np.testing.assert_array_equal(ids == -1, owner == -1)
    pairs = np.unique(np.stack([ids.ravel(), owner.ravel()], 1), axis=0)
    assert len(pairs) == len(np.unique(owner)) == len(np.unique(ids))


def test_a_hidden_mask_has_no_id() -> None:
    whole, left, right = np.ones((2, 4), bool), np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    left[:, :1], right[:, 1:] = True, True
    ids = paint([left, whole, right], (2, 4))
    np.testing.assert_array_equal(ids, [[1, 0, 0, 0], [1, 0, 0, 0]])
    assert (paint([], (2, 4)) == -1).all()
