"""Models from outside as teachers: the real loading path, on small random models saved locally."""

import json
import re
from pathlib import Path

import pytest
import torch

from crosstask.cli import main
from crosstask.data.sample import Sample
from crosstask.data.table.table import read_table, write_table
from crosstask.errors import DataError, RecipeError
from crosstask.recipe import Recipe
from crosstask.rounds.teachers.affine import Affine, Pair, fit
from crosstask.rounds.teachers.agreement import compared, held_out
from crosstask.rounds.teachers.models import ask_model, require_model
from crosstask.rounds.teachers.outside import Outside, outside_teacher
from crosstask.splits import load_splits
from crosstask.tasks import Category, Depth, Normals, Saliency, Segmentation, Tagging
from tests.tiny import write_recipe, write_tiny

SIZE = (32, 48)


def sample() -> Sample:
    return Sample("a", torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0)), {})


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A depth model, a semantic segmenter and a zero-shot classifier with random weights, saved as users have them."""
    transformers = pytest.importorskip("transformers", reason="needs the extra sam (transformers)")
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, patch_size=14, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder / "depth")
    transformers.DPTImageProcessor(size={"height": 28, "width": 28}, ensure_multiple_of=14).save_pretrained(
        folder / "depth"
    )
    labels = {0: "floor", 1: "sky", 2: "crate"}
    config = transformers.SegformerConfig(
        num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4,
        decoder_hidden_size=8, id2label=labels, label2id={name: key for key, name in labels.items()},
    )  # fmt: skip
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder / "segformer")
    transformers.SegformerImageProcessor(size={"height": 32, "width": 48}).save_pretrained(folder / "segformer")
    return folder


@pytest.fixture(scope="module")
def clip(models) -> Path:
    import transformers

    folder = models / "clip"
    folder.mkdir()
    words = ["<|startoftext|>", "<|endoftext|>", *(chr(code) for code in range(97, 123))]
    vocabulary = {word: index for index, word in enumerate([*words, *(word + "</w>" for word in words[2:])])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**small, "vocab_size": len(vocabulary), "bos_token_id": 0, "eos_token_id": 1, "max_position_embeddings": 64}
    vision = {**small, "image_size": 16, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    transformers.CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


def test_depth_models_are_asked_by_name_or_folder(models):
    ask = ask_model(str(models / "depth"), Depth("depth"), {}, "cpu", "x")
    assert ask(sample()).shape == (1, 1, *SIZE)
    with pytest.raises(RecipeError, match=r"is no model for depth-estimation"):
        ask_model(str(models / "segformer"), Depth("depth"), {}, "cpu", "refine.teachers.depth")


def test_classes_go_through_a_table_of_names(models):
    task = Segmentation("semantic", classes=["floor", "wall", "box"])
    values = ask_model(str(models / "segformer"), task, {"crate": "box"}, "cpu", "x")(sample())
    assert values.shape == (1, 3, *SIZE)
    known = ~values.isnan().any(1)
    assert (values.sum(1)[known] == 1).all()
    assert (values[:, 1][known] == 0).all()  # no class of the model is a wall
    with pytest.raises(RecipeError, match=r"no class 'crat'; did you mean 'crate'"):
        ask_model(str(models / "segformer"), task, {"crat": "box"}, "cpu", "x")
    with pytest.raises(RecipeError, match=r"none of the classes of the model"):
        ask_model(str(models / "segformer"), Segmentation("s", classes=["a", "b"]), {}, "cpu", "x")


def test_masks_give_saliency(models):
    values = ask_model(str(models / "segformer"), Saliency("s"), {"floor": "ground", "sky": "ground"}, "cpu", "x")(
        sample()
    )
    assert values.shape == (1, 1, *SIZE)
    assert set(values.unique().tolist()) <= {0.0, 1.0}


def test_zero_shot_models_give_tags_and_categories(clip):
    tags = ask_model(str(clip), Tagging("tags", classes=["cat", "sofa"]), {"cat": "a cat"}, "cpu", "x")(sample())
    assert tags.shape == (1, 2)
    assert ((tags > 0) & (tags < 1)).all()
    place = ask_model(str(clip), Category("place", classes=["in", "out"]), {}, "cpu", "x")(sample())
    assert place.sum().item() == pytest.approx(1)


def test_a_model_that_is_not_there_is_said_before_anything_is_trained(models, tmp_path, capsys):
    require_model(str(models / "depth"), Depth("d"), {}, "refine.teachers.d")
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    typed = ["--refine.teachers.depth", str(tmp_path / "no" / "such" / "model")]
    assert main(["refine", str(recipe), "--out", str(tmp_path / "out"), "--quiet", *typed]) == 2
    assert "refine.teachers.depth: " in (said := capsys.readouterr().err)
    assert "cannot be loaded for depth-estimation" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "model", "names", "said"),
    [
        (Saliency("s"), "segformer", {"floor": "background"}, "x.names.floor: expected ground, found 'background'"),
        (Saliency("s"), "segformer", {"skyy": "ground"}, "x.names: the model has no class 'skyy'; did you mean 'sky'"),
        (Segmentation("m", classes=["floor", "box"]), "segformer", {"crate": "bx"}, "m has no class 'bx'"),
        (Tagging("t", classes=["cat"]), "depth", {"cta": "a cat"}, "t has no class 'cta'; did you mean 'cat'"),
        (Depth("d"), "depth", {"near": "far"}, "x.names: there are no classes of depth to name: leave it out"),
    ],
)
def test_names_are_looked_at_before_anything_is_trained(models, task, model, names, said):
    with pytest.raises(RecipeError, match=re.escape(said)):
        require_model(str(models / model), task, names, "x")


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        (Saliency("s"), {"model": "m", "names": ["a", "b"]}, "s.names: expected a mapping of words, {sea: water} say"),
        (Saliency("s"), {"model": "m", "names": "wall"}, "found 'wall'"),
        (Saliency("s"), {"model": "m", "names": {"wall": 1}}, "found {'wall': 1}"),
        (Depth("d"), {"model": "m", "space": "lg"}, "refine.teachers.d.space is 'lg'; did you mean 'log'?"),
        (Depth("d"), {"model": "m", "space": ["log"]}, "refine.teachers.d.space is ['log']; did you mean"),
        (Category("p", classes=2), {"model": "m", "space": "log"}, "p.space: is for depth, disparity, not for cat"),
    ],
)
def test_options_of_models_have_types(task, given, said):
    with pytest.raises(RecipeError, match=re.escape(said)):
        Outside.of(given, task)


def test_an_exported_network_with_a_space_is_fitted_to_labels_too(tmp_path, monkeypatch):
    recipe = Recipe.load(write_recipe(tmp_path, write_tiny(tmp_path, count=4)))
    ask = lambda sample: torch.ones(1, 1, *sample.size)  # noqa: E731
    monkeypatch.setattr("crosstask.rounds.teachers.outside.ask_model", lambda *_: ask)
    given = Outside("network.pt2", space="log")
    with pytest.raises(DataError, match=r"network\.pt2 is fitted to labels, and only"):
        outside_teacher(given, Depth("depth"), read_table(tmp_path / "data.csv"), recipe, "cpu", tmp_path)


def test_what_no_pipeline_gives_is_said():
    with pytest.raises(RecipeError, match=r"no pipeline of transformers gives normals"):
        ask_model("any", Normals("n"), {}, "cpu", "x")


def scenes(count: int, cameras: int = 1) -> list[Pair]:
    generator = torch.Generator().manual_seed(0)
    pairs = []
    for index in range(count):
        depth = 1 + 5 * torch.rand(400, generator=generator)
        said = (1 / depth - 0.05) / (0.3 + 0.2 * (index % cameras))
        said[:60] = torch.rand(60, generator=generator)  # where the model is wrong altogether
        pairs.append(Pair("" if cameras == 1 else f"{index % cameras}", said, depth))
    return pairs


def test_relative_depth_becomes_metres_whatever_the_outliers_say():
    pairs = scenes(8)
    affine = fit(pairs, "inverse")
    slope, offset = affine.lines[""]
    assert slope == pytest.approx(0.3, rel=0.01)
    assert offset == pytest.approx(0.05, abs=0.005)
    torch.testing.assert_close(affine(pairs[0].said[60:], ""), pairs[0].known[60:], rtol=0.03, atol=0)


ALL = ("--data.validation_fraction", "0")


def test_models_are_not_compared_on_what_is_held_out(tmp_path):
    recipe = Recipe.load(write_recipe(tmp_path, write_tiny(tmp_path)), ["--data.validation_fraction", "0.5"])
    tasks = recipe.tasks()
    held = load_splits(recipe.data, tasks).validation
    seen = []
    ask = lambda sample: seen.append(sample.id) or torch.ones(1, 1, *sample.size)  # noqa: E731
    compared(tasks["depth"], read_table(tmp_path / "data.csv"), recipe, ask, None)
    assert seen
    assert held.ids
    assert not {*seen} & {*held.ids}


@pytest.mark.parametrize("on_error", ["fatal", "skip"])
def test_models_are_compared_on_the_images_that_can_be_read(tmp_path, on_error):
    recipe = Recipe.load(write_recipe(tmp_path, write_tiny(tmp_path)), ["--data.on_error", on_error, *ALL])
    (tmp_path / "image" / "000.png").write_bytes(b"")
    base, task = read_table(tmp_path / "data.csv"), Depth("depth")
    look = lambda: compared(task, base, recipe, lambda sample: torch.ones(1, 1, *sample.size), None)  # noqa: E731
    if on_error == "fatal":
        with pytest.raises(DataError, match=r"000\.png"):
            look()
    else:
        assert len(look()) == sum(bool(row["depth"]) and row["split"] == "train" for row in base.rows) - 1


def test_an_exported_network_of_one_size_and_several_tasks_is_asked_window_by_window(monkeypatch):
    def fixed(images):
        return {"depth": images[:, :1], "tags": images.mean((2, 3))}

    outputs = {name: {"classes": []} for name in ("depth", "tags")}
    fixed.metadata = {"input": {"size": SIZE, "scale": "own", "dynamic": []}, "outputs": outputs}
    monkeypatch.setattr("crosstask.rounds.teachers.models.load_exported", lambda *_: fixed)
    image = torch.rand(3, 40, 60)
    said = ask_model("network.pt2", Depth("depth"), {}, "cpu", "x")(Sample("a", image, {}))
    torch.testing.assert_close(said, image[None, :1])


def test_models_of_one_name_have_a_weight_each(tmp_path, monkeypatch):
    recipe = Recipe.load(write_recipe(tmp_path, write_tiny(tmp_path)))
    base, task, said = read_table(tmp_path / "data.csv"), Depth("depth"), {"a": 1.75, "b": 20.0}

    def ask(model, *_):
        return lambda sample: torch.full((1, 1, *sample.size), said[Path(model).parent.name])

    monkeypatch.setattr("crosstask.rounds.teachers.outside.ask_model", ask)
    make = lambda name: outside_teacher(Outside(f"{name}/network.pt2"), task, base, recipe, "cpu", tmp_path / "notes")  # noqa: E731
    good, bad = (float(make(name)[0].weight) for name in said)
    assert good > 10 * bad
    assert (float(make("a")[0].weight), len(list((tmp_path / "notes").iterdir()))) == (good, 2)


@pytest.mark.parametrize("space", ["inverse", "depth"])
def test_where_the_fit_of_a_model_gives_no_length_it_labels_nothing(space):
    said = torch.tensor([-1.0, 0.5]).reshape(1, 1, 1, 2)
    fused = Depth("d").fuse(Affine(space, {"": (1.0, 0.0)})(said, ""))
    assert fused.value.isnan().flatten().tolist() == [True, False]
    assert fused.confidence.tolist() == [[0.0, 1.0]]


def test_an_exported_network_that_says_negative_depths_is_not_trusted():
    found = [("", torch.full((1, 1, 4), -1.0), torch.full((1, 4), 2.0))] * 4
    assert 0 <= float(held_out(Depth("d"), found, None)) < 0.01


def test_each_camera_with_enough_images_has_a_fit_of_its_own():
    affine = fit(scenes(20, cameras=2), "inverse")
    assert affine.lines["0"][0] == pytest.approx(0.3, rel=0.01)
    assert affine.lines["1"][0] == pytest.approx(0.5, rel=0.01)
    assert set(fit(scenes(6, cameras=2), "inverse").lines) == {""}


def test_the_space_the_model_is_right_in_agrees_best():
    found = [(pair.camera, pair.said[None, None], pair.known[None]) for pair in scenes(8)]
    weights = {space: float(held_out(Depth("d"), found, space)) for space in ("inverse", "depth", "log")}
    assert max(weights, key=weights.get) == "inverse"
    assert weights["inverse"] > 0.9 > weights["depth"]


def test_classes_are_trusted_as_far_as_they_are_right():
    target = torch.tensor([0, 0, 1, 1, -1])
    said = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1]), 3).T[None].float()
    weight = held_out(Segmentation("s", classes=3), [("", said, target)] * 4, None)
    torch.testing.assert_close(weight, torch.tensor([2 / 3, 1.0, 0.75]))  # the last is never said: the mean


def test_a_round_with_teachers_from_outside_alone(models, tmp_path):
    table = read_table(write_tiny(tmp_path, count=12))
    for row in table.rows:
        if row["split"] == "test":
            row["depth"] = ""  # labels of the test set are not there to be looked at
    write_table(table)
    recipe = write_recipe(tmp_path, table.path)
    segmenter = {"model": str(models / "segformer"), "names": {"crate": "box"}}
    teachers = {"depth": str(models / "depth"), "semantic": segmenter, "normals": [], "tags": [], "place": []}
    typed = ["refine", str(recipe), "--out", str(tmp_path / "out"), "--quiet", "--training.iterations", "1"]
    typed += ["--data.labels", "fraction:0.5", "--data.validation_fraction", "0"]
    typed += ["--refine.teachers", json.dumps(teachers)]
    assert main(typed) == 0
    assert not (tmp_path / "out" / "round_0").exists()  # no network of ours is a teacher
    made = read_table(tmp_path / "out" / "labels_1" / "table.csv")
    sources = {row["depth.source"] for row in made.rows}
    assert sources == {"", "depth"}
    assert {row.get("normals.source", "") for row in made.rows} == {""}
    (path,) = (tmp_path / "out" / "labels_1").glob("teacher_depth_depth_*.json")
    note = json.loads(path.read_text())
    assert note["images"] in (4, 5)
    assert 0 < note["weight"] <= 1


def test_too_few_labels_to_fit_to_are_said(models, tmp_path, capsys):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path))
    teachers = {"depth": str(models / "depth"), "semantic": [], "normals": [], "tags": [], "place": []}
    typed = ["refine", str(recipe), "--out", str(tmp_path / "out"), "--quiet"]
    typed += ["--refine.teachers", json.dumps(teachers)]
    assert main(typed) == 2
    assert "is fitted to labels, and only" in capsys.readouterr().err
