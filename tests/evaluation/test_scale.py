from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from crosstask.cli import main
from crosstask.data.decode.files import load_image
from crosstask.data.sample import Sample
from crosstask.data.transforms.geometry import Cover, ScaleCrop, covering
from crosstask.errors import DataError
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import Results
from crosstask.evaluation.scale import AtScale, show
from crosstask.trained import load_run
from tests.evaluation.toys import Pixelwise, every_kind, images
from tests.tiny import write_tiny


@pytest.mark.parametrize("own", [(48, 64), (12, 16), (31, 70), (90, 20)])
def test_images_are_framed_as_the_transform_of_samples_does(own):
    picture = images(1, own)
    shown = show(picture, (24, 32))
    whole = Cover((24, 32))(Sample("a", tv_tensors.Image(picture[0]), {}), torch.Generator())
    torch.testing.assert_close(shown.images[0], whole.image.as_subclass(torch.Tensor), atol=2e-3, rtol=0)


@pytest.mark.parametrize("own", [(48, 64), (12, 16), (31, 70), (90, 20)])
def test_what_was_shown_comes_back_to_its_own_place_and_size(own):
    rows = torch.linspace(0, 1, own[0])[:, None].expand(own)
    ramp = torch.stack((rows, torch.linspace(0, 1, own[1]).expand(own), rows))[None]
    shown = show(ramp, (24, 32))
    inner = shown.images.shape[-2:]
    assert inner == covering(own, (24, 32))
    assert min(have - want for have, want in zip(inner, (24, 32), strict=True)) == 0
    assert (shown.back(shown.images) - ramp).abs().max() < 0.6 / min(*inner, *own)  # but for half a pixel at the ends
    assert show(ramp, None).images is ramp


@pytest.mark.parametrize("own", [(48, 96), (96, 40), (24, 200), (31, 70)])
def test_objects_have_the_scale_and_shape_of_training(own):
    """What is measured of files of another shape than data.size is what training shows at zoom 1, only longer."""
    size = (24, 32)
    camera = torch.tensor((50.0, 50.0, own[1] / 2, own[0] / 2))
    sample = Sample("a", tv_tensors.Image(images(1, own)[0]), {}, intrinsics=camera)
    trained = ScaleCrop(size, [1.0])(sample, torch.Generator().manual_seed(3))
    measured = Cover(size)(sample, torch.Generator())
    focal = trained.intrinsics[:2]  # pixels per unit of the scene at distance 1
    torch.testing.assert_close(measured.intrinsics[:2], focal, rtol=1 / min(size), atol=0)
    if own in ((48, 96), (96, 40)):  # whole pixels: the training sample is a window of what is measured
        left, top = (measured.intrinsics[2:] - trained.intrinsics[2:]).tolist()
    if own == (48, 96) and left == int(left):
        window = measured.image[:, int(top) : int(top) + 24, int(left) : int(left) + 32]
        assert (window - trained.image).abs()[:, 1:-1, 1:-1].max() < 1e-5
    assert show(images(1, own), size).images.shape[-2:] == measured.size


def test_very_long_images_are_bounded():
    height, width = covering((2, 6000), (64, 64))
    assert height * width == pytest.approx(16 * 64 * 64, rel=0.2)
    assert show(torch.rand(1, 3, 2, 6000), (64, 64)).images.shape[-2:] == (height, width)


class OneSize(Pixelwise):
    """Takes images of one size only, as some encoders do."""

    only = (12, 16)

    def forward(self, pictures):
        assert pictures.shape[-2:] == self.only
        return super().forward(pictures)


def test_networks_of_one_size_see_windows_of_it():
    tasks = every_kind()
    pictures = images(2, (12, 41))
    outputs = AtScale(OneSize(tasks), tasks, (12, 16))(pictures)
    whole = Pixelwise(tasks)(pictures)
    for name, task in tasks.items():
        if task.dense:
            torch.testing.assert_close(outputs[name], whole[name])
        else:
            parts = [Pixelwise(tasks)(pictures[..., left : left + 16])[name] for left in (0, 12, 25)]
            torch.testing.assert_close(outputs[name], torch.stack(parts).mean(0))
    with pytest.raises(DataError, match="smaller than the 12x16"):
        AtScale(OneSize(tasks), tasks, (12, 16))(images(1, (2, 3000)))


def test_pixelwise_networks_lose_nothing_where_the_size_is_their_own():
    tasks = every_kind()
    network, pictures = Pixelwise(tasks), images(2)
    for size in (None, (12, 16)):
        outputs = AtScale(network, tasks, size)(pictures)
        assert all(torch.equal(value, network(pictures)[name]) for name, value in outputs.items())


def test_distances_stay_what_they_are_at_another_size():
    tasks = {name: task for name, task in every_kind().items() if name in ("depth", "disparity", "tags")}
    flat = torch.full((1, 3, 40, 60), 0.5)
    network = Pixelwise(tasks)
    small, own = AtScale(network, tasks, (20, 30))(flat), network(flat)
    for name in tasks:
        torch.testing.assert_close(small[name], own[name])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run that was trained at half the size of its files, for all dense kinds and two image-level ones."""
    folder = tmp_path_factory.mktemp("scale")
    table = write_tiny(folder, 8, (64, 96))
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"data: {{table: '{table}', size: [32, 40], workers: 0, validation_fraction: 0, zoom: [1, 1]}}\n"
        "tasks:\n  semantic: {kind: segmentation, classes: [floor, wall, box]}\n  depth: {kind: depth, typical: 2}\n"
        "  normals: {kind: normals}\n  tags: {kind: tags, classes: [cat, sofa]}\n"
        "network: {encoder_options: {width: 4}}\ntraining: {iterations: 30, batch_size: 4, accelerator: cpu}\n"
    )
    assert main(["train", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder


def _measured(table: Path, run: Path, size: str | None) -> tuple[dict[str, float], dict[str, float]]:
    """The numbers of eval, and those of the files that predict wrote, measured as labels against labels."""
    extra = [] if size is None else ["--size", size]
    assert main(["eval", str(run), "--quiet", *extra]) == 0
    given = Results.load(run / "results_test.json").scores()
    out = run / f"predictions_{size}"
    assert main(["predict", str(run), str(table), "--out", str(out), "--quiet", "--no-pictures", *extra]) == 0
    loaded = load_run(run)
    dataset, _ = loaded.evaluation_data()
    written, _ = loaded.evaluation_data("", str(out / "table.csv"))
    places = {name: index for index, name in enumerate(written.ids)}

    class Written(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ids = iter(dataset.ids)

        def forward(self, pictures):
            targets = [written[places[next(self.ids)]].targets for _ in pictures]
            stacked = {
                name: task.values(torch.stack([each[name].as_subclass(torch.Tensor) for each in targets]))
                for name, task in loaded.tasks.items()
            }
            return {name: loaded.tasks[name].invert(value) for name, value in stacked.items()}

    return given, evaluate(Written(), loaded.evaluation_batches(dataset), loaded.tasks, resamples=0).scores()


@pytest.mark.parametrize("size", [None, "own"])
def test_what_predict_writes_has_the_numbers_of_eval(trained, size):
    given, found = _measured(trained / "data.csv", trained / "run", size)
    assert found["semantic"] == pytest.approx(given["semantic"], abs=1e-9)  # class ids have no rounding
    assert found["depth"] == pytest.approx(given["depth"], abs=5e-4)  # half a millimetre
    assert found["normals"] == pytest.approx(given["normals"], abs=0.3)  # 8 bits per component
    assert found["semantic"] > 30


def test_the_scale_makes_a_difference_here(trained):
    main(["eval", str(trained / "run"), "--quiet"])
    shown = Results.load(trained / "run" / "results_test.json")
    main(["eval", str(trained / "run"), "--quiet", "--size", "own"])
    own = Results.load(trained / "run" / "results_test.json")
    assert shown.settings["shown at"] == "32x40"
    assert own.settings["shown at"] == "their own size"
    assert shown.scores()["depth"] != own.scores()["depth"]


def test_the_example_turns_photos_as_predict_does(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    import run_exported

    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    expected = (load_image(tmp_path / "turned.png") * 255).round().byte().permute(1, 2, 0).numpy()
    assert expected.shape == (8, 6, 3)
    np.testing.assert_array_equal(run_exported.read(tmp_path / "turned.png"), expected)
    sys.modules.pop("run_exported")


def test_the_example_reads_16_bits_as_predict_does(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    import run_exported

    pixels = np.random.default_rng(0).integers(0, 2**16, (6, 8), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    shown = []
    run_exported.predict(
        lambda images: shown.append(images) or {},
        {"input": {"size": [6, 8], "scale": "own", "dynamic": ["height", "width"]}},
        run_exported.read(tmp_path / "deep.png"),
    )
    np.testing.assert_allclose(shown[0][0], load_image(tmp_path / "deep.png").numpy(), atol=1e-7)
    sys.modules.pop("run_exported")


@pytest.mark.slow
def test_an_exported_file_run_by_the_example_has_the_numbers_of_eval(trained, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    import run_exported

    assert main(["export", str(trained / "run"), "--overwrite"]) == 0
    program, metadata = run_exported.load(str(trained / "run" / "network.pt2"))
    assert metadata["input"]["size"] == [32, 40]
    assert metadata["input"]["scale"] == "cover"
    run = load_run(trained / "run")
    dataset, _ = run.evaluation_data()
    expected = run.predictor()
    for index in range(len(dataset)):
        sample = dataset[index]
        file = trained / "image" / f"{sample.id}.png"
        values = run_exported.predict(program, metadata, run_exported.read(file))
        raw = expected(sample.image.as_subclass(torch.Tensor)[None])
        for name, task in run.tasks.items():
            natural = task.activate(raw[name])[0].detach().numpy()
            assert np.abs(values[name] - natural).mean() < 0.01 * max(np.abs(natural).max(), 1)
    sys.modules.pop("run_exported")


def test_sizes_that_cannot_be_are_told(trained, capsys):
    for size in ("big", "0x3", "32"):
        assert main(["predict", str(trained / "run"), str(trained), "--out", "y", "--size", size]) == 2
        assert "--size" in capsys.readouterr().err
