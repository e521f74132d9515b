from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from crosstask.data.options import DataOptions
from crosstask.data.table.table import read_table, write_table
from crosstask.errors import UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.rounds.saliency import Attention, add_saliency, saliency_model
from tests.rounds.made import write_recipe, write_squares


def test_maps_are_made_for_the_training_rows_that_have_none(tmp_path):
    table = read_table(write_squares(tmp_path, train=3, test=1))
    rows = [{**row, "saliency": "" if index in (1, 2, 3) else row["saliency"]} for index, row in enumerate(table.rows)]
    table = replace(table, rows=rows)
    data = DataOptions(table=str(table.path))
    found = add_saliency(table, data, "saliency", lambda image: image[:, :1], "cpu", None)
    assert [row["saliency"] for row in found.rows] == [
        "saliency/000.png", "saliency/predicted/001.png", "saliency/predicted/002.png", "",
    ]  # fmt: skip
    red = np.array(Image.open(tmp_path / "images" / "001.png"))[..., 0]
    assert np.array_equal(np.array(Image.open(tmp_path / "saliency/predicted/001.png")), red)
    bare = replace(table, columns=("id", "image"), rows=[{"id": row["id"], "image": row["image"]} for row in rows])
    assert all(row["given"] for row in add_saliency(bare, data, "given", lambda image: image[:, :1], "cpu", None).rows)


def test_a_trained_run_predicts_saliency(tmp_path):
    recipe = Recipe.load(write_recipe(tmp_path, write_squares(tmp_path)), ["--training.iterations", "1"])
    sections = recipe.sections | {"tasks": {"figure": {"kind": "saliency"}}, "objectives": {"supervised": {}}}
    table = read_table(tmp_path / "squares.csv")
    rows = [{**row, "figure": row["saliency"]} for row in table.rows]
    write_table(replace(table, columns=(*table.columns, "figure"), rows=rows))
    Experiment(Recipe.of(sections), tmp_path / "figures", quiet=True).fit()
    predict = saliency_model(str(tmp_path / "figures"), "cpu")
    found = predict(torch.rand(1, 3, 40, 50))
    assert found.shape == (1, 1, 40, 50)
    assert 0 <= found.min() <= found.max() <= 1
    sections["tasks"] = {"tags": {"kind": "tags", "classes": ["red", "blue"]}}
    Experiment(Recipe.of(sections), tmp_path / "tags", quiet=True).fit()
    with pytest.raises(UserError, match=r"refine\.saliency_from: .*tags predicts tags: give a run with one saliency"):
        saliency_model(str(tmp_path / "tags"), "cpu")


def test_the_attention_of_a_transformer_is_that_of_its_class_token():
    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", depth=2, embed_dim=24, num_heads=2, num_classes=0, dynamic_img_size=True
    ).eval()
    attention = Attention(model)
    images = torch.rand(2, 3, 48, 70)
    with torch.no_grad():
        found = attention(images)
        sized = torch.nn.functional.interpolate(images, (48, 64), mode="bilinear", antialias=True)
        maps = model.patch_embed((sized - attention.mean) / attention.std)
        tokens = model.blocks[0](model.norm_pre(model._pos_embed(maps)))
        last = model.blocks[1]
        queries, keys, _ = last.attn.qkv(last.norm1(tokens)).reshape(2, 13, 3, 2, 12).permute(2, 0, 3, 1, 4)
        weights = (queries[:, :, :1] @ keys.mT * 12**-0.5).softmax(-1).mean(1)[:, 0, 1:].reshape(2, 1, 3, 4)
    assert found.shape == (2, 1, 48, 70)
    centres = found[..., 8::16, [8, 26, 43, 61]]  # the middle of each patch
    assert torch.equal(centres.flatten(1).argmax(1), weights.flatten(1).argmax(1))
    assert torch.equal(centres.flatten(1).argmin(1), weights.flatten(1).argmin(1))
    assert 0 <= found.min() <= found.max() <= 1


def test_weights_that_cannot_be_had_are_one_line():
    with pytest.raises(UserError, match=r"refine\.saliency_from: no weights for 'vit_nowhere' could be had"):
        saliency_model("timm:vit_nowhere", "cpu")
