import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.data.transforms.geometry import crop_resize
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.inference import Inference
from crosstask.tasks import Category, Depth, Disparity
from crosstask.tasks.length import Length
from crosstask.tasks.targets import as_target
from tests.evaluation.toys import Convolutional, Pixelwise, batch, every_kind, images

TASKS = every_kind()
DENSE = {name: task for name, task in TASKS.items() if task.dense}
IMAGE_LEVEL = {name: task for name, task in TASKS.items() if not task.dense}


@pytest.mark.parametrize("size", [(40, 53), (7, 50), (16, 16), (17, 16), (5, 6), (1, 33)])
@pytest.mark.parametrize(("tile", "overlap"), [(16, None), (16, 0), (16, 8), (9, 1)])
def test_tiles_of_a_pixelwise_network_join_exactly(size, tile, overlap):
    network = Pixelwise(DENSE)
    pictures = images(2, size)
    expected, found = network(pictures), Inference(network, DENSE, tile=tile, overlap=overlap)(pictures)
    for name in DENSE:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_no_tile_exceeds_its_size_and_together_they_are_few():
    sizes = []

    class Watched(Pixelwise):
        def forward(self, pictures):
            sizes.append(tuple(pictures.shape[-2:]))
            return super().forward(pictures)

    Inference(Watched(DENSE), DENSE, tile=16, overlap=4)(images(1, (40, 20)))
    assert set(sizes) == {(16, 16)}
    assert len(sizes) == 3 * 2


def test_overlap_hides_the_borders_of_tiles():
    """Where a network is wrong at the borders of what it sees, blended tiles are close to the whole image."""

    class Padded(nn.Module):
        def forward(self, pictures):
            return {"saliency": F.avg_pool2d(pictures.mean(1, keepdim=True), 5, 1, 2)}

    tasks = {"saliency": TASKS["saliency"]}
    picture = torch.ones(1, 3, 40, 40)
    whole = Padded()(picture)["saliency"][..., 5:-5, 5:-5]

    def worst(overlap):
        tiled = Inference(Padded(), tasks, tile=20, overlap=overlap)(picture)["saliency"][..., 5:-5, 5:-5]
        return (tiled - whole).abs().max().item()

    assert worst(0) > 0.3
    assert worst(10) < 0.2


def test_image_level_tasks_see_the_whole_image_when_it_is_cut():
    class Brightest(nn.Module):
        def forward(self, pictures):
            assert max(pictures.shape[-2:]) <= 16
            brightest = pictures.amax((1, 2, 3))[:, None]
            return {name: brightest.expand(-1, task.channels) for name, task in IMAGE_LEVEL.items()}

    corner = torch.zeros(1, 3, 64, 32)
    corner[..., -20:, -20:] = 1
    found = Inference(Brightest(), IMAGE_LEVEL, tile=16)(corner)
    assert found["tags"].shape == (1, 3)
    assert (found["tags"] > 0.99).all()


@pytest.mark.parametrize("size", [(12, 15), (33, 8)])
def test_flips_and_scales_of_a_constant_image_change_nothing(size):
    """Of normals only x depends on the side from which one looks; lengths are tested by themselves."""
    network = Pixelwise(TASKS)
    picture = images(1, (1, 1)).expand(1, 3, *size)
    expected = network(picture)
    found = Inference(network, TASKS, scales=(0.5, 1.0, 1.7), flip=True)(picture)
    for name, task in TASKS.items():
        if isinstance(task, Length):
            continue
        if name == "normals":
            assert found[name][:, 0].abs().max() < 1e-6
            torch.testing.assert_close(found[name][:, 1:], expected[name][:, 1:])
        else:
            torch.testing.assert_close(found[name], expected[name])


def test_flips_leave_an_oracle_as_it_is():
    """A network that knows the scene (depth, normals, classes of the image and of its mirror image) is not changed."""
    item = batch(2)
    scene = torch.cat((F.normalize(item.images - 0.5, dim=1), 1 + item.images[:, :1]), 1)

    class Oracle(nn.Module):
        def forward(self, pictures):
            mirrored = not torch.equal(pictures, item.images)
            normals, depth = scene[:, :3], scene[:, 3:]
            if mirrored:
                assert torch.equal(pictures, item.images.flip(-1))
                normals = normals.flip(-1) * torch.tensor([-1.0, 1, 1])[:, None, None]
                depth = depth.flip(-1)
            return {"normals": normals, "depth": depth}

    tasks = {name: TASKS[name] for name in ("normals", "depth")}
    found = Inference(Oracle(), tasks, flip=True)(item.images)
    torch.testing.assert_close(found["normals"], scene[:, :3])
    torch.testing.assert_close(found["depth"], scene[:, 3:])


@pytest.mark.parametrize("loss", ["l1", "log", "scale_invariant"])
def test_lengths_at_other_scales_are_those_of_a_camera_that_has_not_moved(loss):
    """What looks larger looks nearer to a network that was trained with zoom; every view says the same after all."""
    tasks = {"depth": Depth("depth", loss=loss), "disparity": Disparity("disparity")}

    class Sized(nn.Module):
        """Knows how wide a sofa is: at 32 pixels the picture is 3 m away."""

        def forward(self, pictures):
            near = pictures.shape[-1] / 32
            depth = torch.full((len(pictures), 1, *pictures.shape[-2:]), 3.0 / near)
            return {"depth": tasks["depth"].invert(depth), "disparity": torch.full_like(depth, 8.0 * near)}

    inference = Inference(Sized(), tasks, scales=(0.5, 1.0, 1.5), flip=True)
    for view in [*inference.views(images(1, (24, 32))), inference(images(1, (24, 32)))]:
        depth = tasks["depth"].activate(view["depth"])
        torch.testing.assert_close(depth, torch.full_like(depth, 3.0))
        torch.testing.assert_close(view["disparity"], torch.full_like(depth, 8.0))


def test_zoom_in_training_and_scales_in_use_are_each_others_inverse():
    """What training shows of a window is what a view at that scale shows of the same window."""
    task = Depth("depth")
    metres = as_target(task.target_type, torch.full((1, 24, 32), 3.0))
    sample = Sample("a", tv_tensors.Image(torch.zeros(3, 24, 32)), {"depth": metres})
    shown = crop_resize(sample, 0, 0, 12, 16, (24, 32), zoom=2.0).targets["depth"].as_subclass(torch.Tensor)
    torch.testing.assert_close(task.zoomed(shown, 1 / 2.0), torch.full_like(shown, 3.0))


def test_scales_are_a_mean_of_raw_predictions():
    network = Convolutional(TASKS).eval()
    pictures = images(1, (24, 32))
    with torch.no_grad():
        found = Inference(network, TASKS, scales=(1.0, 2.0))(pictures)
        resize = lambda maps, size: F.interpolate(maps, size=size, mode="bilinear", antialias=True)  # noqa: E731
        one, two = network(pictures), network(resize(pictures, (48, 64)))
    torch.testing.assert_close(found["semantic"], (one["semantic"] + resize(two["semantic"], (24, 32))) / 2)
    torch.testing.assert_close(found["tags"], (one["tags"] + two["tags"]) / 2)


def test_plain_use_is_the_network_itself():
    network = Convolutional(TASKS).eval()
    pictures = images(2, (13, 17))
    expected, found = network(pictures), Inference(network, TASKS)(pictures)
    assert all(torch.equal(found[name], expected[name]) for name in TASKS)


def test_half_precision_is_averaged_in_full():
    class Half(nn.Module):
        def forward(self, pictures):
            return {"depth": pictures[:, :1].bfloat16()}

    found = Inference(Half(), {"depth": TASKS["depth"]}, flip=True)(images(1))
    assert found["depth"].dtype == torch.float32


def test_evaluation_takes_it_in_place_of_the_network():
    network = Pixelwise(TASKS)
    item = batch(3, (20, 30))
    expected = evaluate(network, [item], DENSE, resamples=0)
    found = evaluate(Inference(network, TASKS, tile=16), [item], DENSE, resamples=0)
    assert found.scores() == pytest.approx(expected.scores(), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 0}, "tile is 0"),
        ({"tile": 16, "overlap": 9}, "0 to half the tile"),
        ({"tile": 16, "overlap": -1}, "overlap is -1"),
        ({"overlap": 4}, "overlap is 4"),
        ({"scales": ()}, "at least one"),
        ({"scales": (1.0, 0.0)}, "above 0"),
        ({"scales": (1.0, math.nan)}, "above 0"),
        ({"flip": "no"}, "flip is 'no'"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Inference(nn.Identity(), TASKS, **options)


def test_left_and_right_agree_over_mirrored_views():
    """A network that tells on which side the light is says the same of an image as of the mirrored one, turned back."""

    class Light(nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            halves = images.chunk(2, dim=-1)
            return {"side": torch.stack([half.mean((1, 2, 3)) for half in halves], 1)}

    side = Category("side", classes=["left", "right"])
    image = torch.zeros(1, 3, 4, 4)
    image[..., :2] = 1
    assert Inference(Light(), {"side": side}, flip=True)(image)["side"].tolist() == [[1, 0]]
