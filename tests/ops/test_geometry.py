"""Normals from depth: exact on planes, near the truth in made-up rooms, unknown where they cannot be known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from crosstask.ops.geometry import depth_steps, normals_from_depth
from crosstask.rooms.room import make_room

CAMERA = torch.tensor([60.0, 70.0, 20.3, 14.8])
DOWN_FORWARD = torch.tensor([1.0, -1.0, -1.0])


def plane(normal: Tensor, distance: float, height: int = 32, width: int = 40) -> Tensor:
    """Depth of the plane n·p = -distance in the house frame, seen by ``CAMERA``."""
    fx, fy, cx, cy = CAMERA
    x = (torch.arange(width) - cx) / fx
    y = (torch.arange(height) - cy) / fy
    rays = torch.stack((x.expand(height, width), y[:, None].expand(height, width), torch.ones(height, width)))
    toward = (rays * (normal * DOWN_FORWARD)[:, None, None]).sum(0)
    depth = -distance / toward
    return depth.where(depth > 0, torch.nan)[None]


def angle(first: Tensor, second: Tensor) -> Tensor:
    return torch.rad2deg(2 * torch.atan2((first - second).norm(dim=0), (first + second).norm(dim=0)))


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0.8, 0.6), (0.6, 0, 0.8), (-0.48, 0.6, 0.64), (0.3, -0.4, 0.866)])
def test_planes_are_exact(normal):
    normal = torch.tensor(normal, dtype=torch.float32)
    normal = normal / normal.norm()
    depth = plane(normal, 2.0)
    derived = normals_from_depth(depth, CAMERA)
    known = ~depth[0].isnan()
    assert derived.shape == (3, 32, 40)
    assert torch.equal(~derived.isnan().any(0), known)
    assert angle(derived, normal[:, None, None].expand_as(derived))[known].max() < 0.05


def test_an_edge_between_two_depths_does_not_bend_the_planes():
    near, far = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.6, 0.0, 0.8])
    depth = torch.cat((plane(near, 1.5)[..., :20], plane(far, 4.0)[..., 20:]), -1)
    truth = torch.stack([near] * 20 + [far] * 20, -1)[:, None].expand(3, 32, 40)
    assert angle(normals_from_depth(depth, CAMERA), truth).max() < 2


def test_rooms():
    angles = []
    for index in range(3):
        room = make_room(0, index, (64, 96))
        derived = normals_from_depth(room.depth, room.intrinsics)
        given = torch.as_tensor(room.normals).as_subclass(Tensor)
        known = ~(derived.isnan() | given.isnan()).any(0)
        assert known.float().mean() > 0.99
        angles.append(angle(derived, given)[known])
    found = torch.cat(angles)
    assert found.median() < 1
    assert (found < 11.25).float().mean() > 0.75  # the rest is small things, round or thin, at this resolution


def test_unknown_depth_stays_unknown_and_disturbs_nothing():
    normal = torch.tensor([0.0, 0.8, 0.6])
    depth = plane(normal, 2.0)
    hole = torch.rand(32, 40, generator=torch.Generator().manual_seed(0)) < 0.3
    holed = depth.masked_fill(hole, torch.nan)
    derived = normals_from_depth(holed, CAMERA)
    known = ~holed[0].isnan()
    assert derived[:, ~known].isnan().all()
    there = ~derived.isnan().any(0)
    assert there.sum() > 0.95 * known.sum()
    assert angle(derived, normal[:, None, None].expand_as(derived))[there].max() < 0.05
    alone = torch.full((1, 9, 9), torch.nan)
    alone[0, 4] = 1.0  # a line defines no plane
    assert normals_from_depth(alone, CAMERA).isnan().all()


def test_batches_precision_and_options():
    depth = plane(torch.tensor([0.0, 0.8, 0.6]), 2.0)
    single = normals_from_depth(depth, CAMERA)
    both = normals_from_depth(torch.stack((depth, 2 * depth)), torch.stack((CAMERA, CAMERA)))
    torch.testing.assert_close(both[0], single, equal_nan=True)
    torch.testing.assert_close(both[1], single, equal_nan=True, rtol=0, atol=1e-5)
    assert normals_from_depth(depth.double(), CAMERA).dtype == torch.float64
    for bad in ({"window": 4}, {"passes": 0}):
        with pytest.raises(ValueError, match="odd number"):
            normals_from_depth(depth, CAMERA, **bad)
    with pytest.raises(ValueError, match="intrinsics"):
        normals_from_depth(depth[0], CAMERA)


def steps(depth: Tensor, step: int, axis: int) -> Tensor:
    length = depth.shape[axis] - step
    return (depth.narrow(axis, step, length) / depth.narrow(axis, 0, length)).log()[..., 0, :, :]


def test_half_precision_of_the_step_turns_no_normal():
    depth, normal = make_room(0, 0, (64, 96)).depth, torch.tensor([0.0, 0.8, 0.6])
    with torch.autocast("cpu", torch.bfloat16):
        found, tilted = normals_from_depth(depth, CAMERA), normals_from_depth(plane(normal, 2.0), CAMERA)
    torch.testing.assert_close(found, normals_from_depth(depth, CAMERA), equal_nan=True)
    assert angle(tilted, normal[:, None, None].expand_as(tilted)).nan_to_num(0).max() < 0.05


@pytest.mark.parametrize(("step", "axis"), [(1, -1), (3, -1), (1, -2), (5, -2)])
def test_steps_of_depth_on_planes_are_exact(step, axis):
    normals = torch.nn.functional.normalize(torch.tensor([[0, 0.8, 0.6], [0.6, 0, 0.8], [-0.4, 0.3, 0.8]]), dim=1)
    depths = torch.stack([plane(normal, 2.0) for normal in normals])
    implied = depth_steps(normals[:, :, None, None].expand(3, 3, 32, 40), CAMERA, step, axis)
    true = steps(depths, step, axis)
    known = ~true.isnan()
    assert implied.shape == true.shape
    assert known.sum() > 2000
    torch.testing.assert_close(implied[known], true[known], atol=1e-5, rtol=0)


def test_steps_of_depth_on_a_sphere_are_of_second_order():
    def worst(step: int) -> float:
        x, y = (torch.arange(40) - CAMERA[2]) / CAMERA[0], ((torch.arange(32) - CAMERA[3]) / CAMERA[1])[:, None]
        rays = torch.stack((x.expand(32, 40), y.expand(32, 40), torch.ones(32, 40))).double()
        along, squared = 3 * rays[2], (rays**2).sum(0)
        depth = (along - (along**2 - squared * (9 - 1)).clamp(min=0).sqrt()) / squared  # radius 1, centre (0, 0, 3)
        normal = (depth * rays - torch.tensor([0.0, 0, 3])[:, None, None]) * DOWN_FORWARD[:, None, None]
        error = depth_steps(normal, CAMERA, step, -1) - steps(depth[None], step, -1)
        return float(error[10:20, 12:24].abs().max())

    assert 0 < 3 * worst(2) < worst(4)
    assert worst(2) < 1e-4


def test_steps_of_depth_are_unknown_where_normals_are_or_face_away():
    normals = torch.tensor([0.0, 0.0, 1.0])[:, None, None].expand(3, 4, 6).clone()
    normals[:, 1, 2] = torch.nan
    normals[:, 2, 4] *= -1
    found = depth_steps(normals, CAMERA, 1, -1)
    assert found.isnan().nonzero().tolist() == [[1, 1], [1, 2], [2, 3], [2, 4]]
    assert depth_steps(normals, torch.full((4,), torch.nan), 1, -1).isnan().all()
    normals = normals.nan_to_num(1.0).double().requires_grad_()
    depth_steps(normals, CAMERA, 2, -2).nansum().backward()
    assert normals.grad.isfinite().all()
    assert normals.grad.any()
