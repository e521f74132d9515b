import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from crosstask.data.sample import Sample
from crosstask.data.transforms.geometry import Cover, Flip, Resize, ScaleCrop, crop_resize, flip
from crosstask.tasks import (
    Category,
    DepthMap,
    DisparityMap,
    NormalMap,
    Regions,
    SaliencyMap,
    Segmentation,
    SemanticMap,
    Tags,
)
from crosstask.tasks.targets import Map, as_target
from tests.shared import shared


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(Tensor)


def plane_sample(height: int = 30, width: int = 40) -> tuple[Sample, Tensor]:
    """A view of the plane N.X = d (camera x right, y down, z forward), with exact depth and normals."""
    fx, fy, cx, cy = 45.0, 42.0, width / 2 - 1.3, height / 2 + 0.4
    normal = torch.tensor([0.3, -0.5, -0.8], dtype=torch.float64)
    normal /= normal.norm()
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    rays = torch.stack(((u - cx) / fx, (v - cy) / fy, torch.ones(height, width)), 0).double()
    depth = -3.0 / torch.einsum("c,chw->hw", normal, rays)
    seen = normal * torch.tensor([1, -1, -1])
    targets = {
        "depth": as_target(DepthMap, depth[None].float()),
        "disparity": as_target(DisparityMap, 50 / depth[None].float()),
        "normals": as_target(NormalMap, seen.float()[:, None, None].expand(3, height, width).clone()),
        "semantic": as_target(SemanticMap, (v * width + u).long()),
        "saliency": as_target(SaliencyMap, (u / width)[None].float()),
        "tags": as_target(Tags, torch.tensor([0.0, 1.0])),
    }
    ramp = torch.stack((u / width, v / height, torch.zeros(height, width))).float()
    regions = as_target(Regions, (v * width + u).int())
    weights = {"depth": as_target(Map, (u / width).float())}
    intrinsics = torch.tensor([fx, fy, cx, cy])
    return Sample("plane", tv_tensors.Image(ramp), targets, regions, intrinsics, weights), normal


def points(sample: Sample) -> Tensor:
    """Back-projected points, pixel by pixel in plain Python, (n, 3), of the known pixels."""
    fx, fy, cx, cy = sample.intrinsics.tolist()
    depth = plain(sample.targets["depth"])[0]
    found = []
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            z = depth[v, u].item()
            if not math.isnan(z):
                found.append(((u - cx) / fx * z, (v - cy) / fy * z, z))
    return torch.tensor(found, dtype=torch.float64)


def moves(zooms=(1.0, 1.25, 1.5)) -> list:
    return [
        Flip(1.0),
        Resize((60, 80)),
        Resize((15, 20)),
        Cover((60, 80)),
        *[ScaleCrop((30, 40), [zoom]) for zoom in zooms],
        *[ScaleCrop((60, 80), [zoom]) for zoom in zooms],
    ]


@pytest.mark.parametrize(
    "move", moves(), ids=lambda m: f"{type(m).__name__}-{getattr(m, 'size', '')}-{getattr(m, 'zoom', '')}"
)
def test_a_plane_stays_a_plane_up_to_the_similarity(move):
    """Depth, intrinsics and normals together still describe the plane, its distance divided by the zoom."""
    sample, normal = plane_sample()
    moved = move(sample, generator(1))
    zoom = move.zoom[0] if isinstance(move, ScaleCrop) else 1.0
    expected = normal * torch.tensor([-1.0 if isinstance(move, Flip) else 1.0, 1, 1])
    distance = points(moved) @ expected
    # depth is taken from the nearest pixel, at most half a pixel away: the plane is met up to that
    slack = 0.0 if isinstance(move, Flip) or (zoom == 1 and move.size == (30, 40)) else 0.06
    assert (distance * zoom + 3).abs().max() < 1e-4 + 3 * slack
    assert abs((distance * zoom + 3).mean()) < 1e-4 + 0.4 * slack
    seen = expected * torch.tensor([1, -1, -1])
    torch.testing.assert_close(
        plain(moved.targets["normals"]).flatten(1).double(),
        seen[:, None].expand(3, moved.size[0] * moved.size[1]),
        atol=1e-5,
        rtol=0,
    )


def test_intrinsics_follow_a_point_through_every_move():
    """A point of the scene is projected where the pixel that shows it goes to, computed from pixel edges."""
    sample, _ = plane_sample()
    point = (0.2, -0.1, 2.0)

    def project(intrinsics: Tensor, mirrored: bool = False) -> tuple[float, float]:
        fx, fy, cx, cy = intrinsics.tolist()
        return fx * point[0] * (-1 if mirrored else 1) / point[2] + cx, fy * point[1] / point[2] + cy

    u, v = project(sample.intrinsics)
    moved = crop_resize(sample, 3, 7, 20, 26, (30, 52), zoom=1.5)
    assert project(moved.intrinsics) == pytest.approx(((u + 0.5 - 7) * 2 - 0.5, (v + 0.5 - 3) * 1.5 - 0.5), abs=1e-4)
    assert project(flip(sample).intrinsics, mirrored=True) == pytest.approx((40 - 1 - u, v), abs=1e-4)
    back = flip(flip(sample))
    torch.testing.assert_close(back.intrinsics, sample.intrinsics)
    for name, target in sample.targets.items():
        assert torch.equal(plain(back.targets[name]), plain(target))


@pytest.mark.parametrize("size", [(30, 40), (47, 23), (8, 60)])
@pytest.mark.parametrize("box", [(0, 0, 30, 40), (3, 7, 20, 26), (-5, -3, 41, 50), (29, 39, 1, 1), (-4, 30, 12, 22)])
def test_every_target_against_a_loop_over_pixels(box, size):
    sample, _ = plane_sample()
    top, left, height, width = box
    moved = crop_resize(sample, top, left, height, width, size, zoom=2.0)
    assert moved.size == size
    for row in range(0, size[0], 3):
        for column in range(0, size[1], 5):
            # the source pixel under the centre of the output pixel
            v = top + math.floor((row + 0.5) * height / size[0])
            u = left + math.floor((column + 0.5) * width / size[1])
            inside = 0 <= v < 30 and 0 <= u < 40
            at = (..., row, column)
            assert moved.targets["semantic"][at] == (v * 40 + u if inside else -1)
            assert moved.regions[at] == (v * 40 + u if inside else -1)
            depth, disparity = (plain(moved.targets[name])[0][at] for name in ("depth", "disparity"))
            if inside:
                torch.testing.assert_close(depth, plain(sample.targets["depth"])[0, v, u] / 2)
                torch.testing.assert_close(disparity, plain(sample.targets["disparity"])[0, v, u] * 2)
                assert plain(moved.weights["depth"])[at] == plain(sample.weights["depth"])[v, u]
            else:
                assert depth.isnan()
                assert disparity.isnan()
    assert torch.equal(plain(moved.targets["tags"]), plain(sample.targets["tags"]))
    lengths = plain(moved.targets["normals"]).square().sum(0).sqrt()
    torch.testing.assert_close(lengths[~lengths.isnan()], torch.ones_like(lengths[~lengths.isnan()]))


@pytest.mark.parametrize("size", [(30, 40), (64, 64), (17, 50), (96, 20)])
@pytest.mark.parametrize("shape", [(30, 40), (50, 20), (7, 7), (200, 300)])
@pytest.mark.parametrize("zoom", [(1.0, 1.5), (0.5,), (0.5, 2.0), (1.0, 1.2, 1.5), (30.0,)])
def test_any_image_into_any_size(shape, size, zoom):
    sample, _ = plane_sample(*shape)
    for seed in range(3):
        moved = ScaleCrop(size, zoom)(sample, generator(seed))
        assert moved.size == size
        assert all(t.shape[-2:] == size for t in moved.targets.values() if isinstance(t, Map))
        assert moved.targets["depth"].known().any()
        if min(zoom) >= 1:
            assert moved.targets["depth"].known().all()
        assert 0 <= moved.image.min() <= moved.image.max() <= 1 + 1e-6
        assert {name: type(target) for name, target in moved.targets.items()} == {
            name: type(target) for name, target in sample.targets.items()
        }
        whole = Cover(size)(sample, generator())
        assert min(have - want for have, want in zip(whole.size, size, strict=True)) == 0
        kept = plain(whole.targets["depth"])
        assert torch.isin(kept, plain(sample.targets["depth"])).all()  # nothing is padded


def test_nothing_moves_at_zoom_one_and_equal_size():
    sample, _ = plane_sample()
    moved = ScaleCrop(None, [1.0])(sample, generator())
    assert all(torch.equal(plain(moved.targets[n]), plain(sample.targets[n])) for n in sample.targets)
    assert torch.equal(plain(moved.image), plain(sample.image))
    torch.testing.assert_close(moved.intrinsics, sample.intrinsics)


def test_hidden_labels_move_as_targets_do():
    sample, _ = plane_sample()
    sample = replace(sample, hidden=dict(sample.targets))
    moved = flip(crop_resize(sample, 3, 4, 16, 20, (24, 30), zoom=1.3))
    for name, target in moved.targets.items():
        assert type(moved.hidden[name]) is type(target)
        assert torch.equal(moved.hidden[name], target)
        assert name == "tags" or moved.hidden[name].shape != sample.hidden[name].shape


def test_draws_come_from_the_generator_alone():
    sample, _ = plane_sample()
    move = ScaleCrop((20, 30))
    torch.manual_seed(0)
    first = move(sample, generator(3))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = move(sample, generator(3))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(plain(first.image), plain(second.image))
    other = move(sample, generator(4))
    assert not torch.equal(plain(first.targets["semantic"]), plain(other.targets["semantic"]))


def test_zooms_are_drawn_from_the_range_or_the_list():
    sample, _ = plane_sample()
    near = float(plain(sample.targets["disparity"])[0, 0, 0])

    def zooms(spec, n=60):
        constant = {"disparity": as_target(DisparityMap, torch.full((1, 30, 40), near))}
        still = Sample("s", sample.image, constant)
        moved = [ScaleCrop((30, 40), spec)(still, generator(seed)) for seed in range(n)]
        return sorted({round(float(plain(m.targets["disparity"]).flatten()[0]) / near, 4) for m in moved})

    assert zooms([1.0, 1.2, 1.5]) == [1.0, 1.2, 1.5]
    drawn = zooms((1.0, 1.5))
    assert len(drawn) > 50
    assert 1.0 <= drawn[0] < 1.03
    assert 1.47 < drawn[-1] < 1.5
    with pytest.raises(ValueError, match="positive"):
        ScaleCrop((30, 40), [0.0, 1.0])


@pytest.mark.parametrize("view", range(4))
def test_reference_scale_crop(view):
    """The scale-crop of multi-task attention networks (Liu et al., 2019), its windows given.

    It samples the nearest pixel at floor(i h / H), here the pixel under the centre, floor((i + 1/2) h / H): the values
    agree wherever both rules name the same source pixel, and depth is divided by the same zoom. Its image and normals
    are resampled with aligned corners, another grid, and are left out.
    """
    data = np.load(shared("fixtures/rdc/augment.npz"))
    zoom, height, width, top, left, rows, columns = data[f"v{view}_params_sc_h_w_i_j_H_W"].tolist()
    height, width, top, left, rows, columns = map(int, (height, width, top, left, rows, columns))
    targets = {
        "depth": as_target(DepthMap, data["depth"]),
        "semantic": as_target(SemanticMap, torch.from_numpy(data["label"]).long()),
    }
    sample = Sample("view", tv_tensors.Image(torch.from_numpy(data["image"])), targets)
    moved = crop_resize(sample, top, left, height, width, (rows, columns), float(np.float64(round(zoom, 4))))

    def same(size: int, window: int) -> np.ndarray:
        i = np.arange(size)
        return np.floor(i * window / size).astype(int) == np.floor((i + 0.5) * window / size).astype(int)

    agree = same(rows, height)[:, None] & same(columns, width)
    assert agree.mean() > 0.2
    label, depth = data[f"v{view}_label"], data[f"v{view}_depth"]
    np.testing.assert_array_equal(plain(moved.targets["semantic"]).numpy()[agree], label[agree])
    np.testing.assert_allclose(plain(moved.targets["depth"]).numpy()[0][agree], depth[0][agree], rtol=1e-6)


@pytest.mark.parametrize("name", ["depth", "disparity", "normals", "semantic", "saliency", "tags"])
@pytest.mark.parametrize(
    "operation",
    [v2.RandomRotation(10), v2.RandomVerticalFlip(1.0), v2.RandomPerspective(p=1.0), v2.ElasticTransform()],
    ids=lambda operation: type(operation).__name__,
)  # fmt: skip
def test_operations_no_target_knows_are_refused(name, operation):
    sample, _ = plane_sample()
    with pytest.raises(TypeError, match="not defined for"):
        operation(sample.image, sample.targets[name])


def test_operations_of_torchvision_that_targets_know_move_them():
    sample, _ = plane_sample()
    _, depth, normals = v2.RandomHorizontalFlip(1.0)(sample.image, sample.targets["depth"], sample.targets["normals"])
    assert torch.equal(plain(depth), plain(sample.targets["depth"]).flip(-1))
    assert (plain(normals)[0] == -plain(sample.targets["normals"])[0]).all()
    jittered = v2.ColorJitter(0.5)(sample.image, sample.targets["depth"])[1]
    assert torch.equal(plain(jittered), plain(sample.targets["depth"]))


def test_mirrored_left_is_right():
    """Labels that may be trained on and those that may not; without the tasks nobody knows what is left."""
    side, parts = Category("side", classes=["left", "right"]), Segmentation("parts", classes=["body", "left", "right"])
    tasks = {"side": side, "parts": parts}
    image = tv_tensors.Image(torch.zeros(3, 1, 3))
    hidden = {"parts": as_target(SemanticMap, torch.tensor([[0, 2, -1]]))}
    sample = Sample("one", image, {"side": side.parse("left")}, hidden=hidden)
    moved = Flip(1.0, tasks)(sample, generator())
    assert int(moved.targets["side"]) == 1
    assert plain(moved.hidden["parts"]).tolist() == [[-1, 1, 0]]
    assert int(flip(sample).targets["side"]) == 0
