import pytest
import torch

from crosstask.ops.moments import TILE, region_moments
from crosstask.ops.regions import index_regions


def slow_moments(features, regions, minimum=1):
    """One region at a time, in float64."""
    rows = []
    for image, (values, ids) in enumerate(zip(features.double(), regions, strict=True)):
        for region in ids[ids >= 0].unique().tolist():
            pixels = values[:, ids == region]
            count = pixels.shape[1]
            if count >= minimum:
                covariance = torch.cov(pixels) if count > 1 else pixels.new_zeros(len(pixels), len(pixels))
                rows.append((pixels.mean(1), covariance, count, image, region))
    mean, covariance, count, image, ids = zip(*rows, strict=True)
    return torch.stack(mean), torch.stack(covariance), torch.tensor(count), torch.tensor(image), torch.tensor(ids)


def patchwork(batch, height, width, seed=0):
    """Ids with gaps, unknown pixels, one-pixel regions, and regions that fill several tiles."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 4 * TILE, (batch * height * width,), generator=generator)
    labels = torch.arange(len(sizes)).repeat_interleave(sizes)[: height * width]
    ids = torch.stack([torch.randperm(90, generator=generator)[labels % 40] * 7 for _ in range(batch)])
    ids[:, ::11] = -1
    ids[0, 0], ids[-1, 5] = 1001, 5000
    return ids.view(batch, height, width)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.int16])
@pytest.mark.parametrize("minimum", [1, 10])
def test_agrees_with_one_region_at_a_time(dtype, minimum):
    regions = patchwork(3, 40, 50).to(dtype)
    features = torch.randn(3, 9, 40, 50, generator=torch.Generator().manual_seed(1))
    mean, covariance, count, image, ids = slow_moments(features, regions, minimum)
    index = index_regions(regions, minimum=minimum)
    found = region_moments(features, regions, minimum=minimum)
    assert torch.equal(found.count, count)
    assert torch.equal(found.image, image)
    assert torch.equal(index.id, ids)
    torch.testing.assert_close(found.mean, mean.float())
    torch.testing.assert_close(found.covariance, covariance.float(), atol=1e-5, rtol=1e-5)
    if minimum == 1:
        assert (count == 1).any()


def test_index_stands_in_for_the_map():
    regions, features = patchwork(2, 24, 32), torch.randn(2, 5, 24, 32)
    for direct, indexed in zip(
        region_moments(features, regions, minimum=4),
        region_moments(features, index_regions(regions, minimum=4)),
        strict=True,
    ):
        assert torch.equal(direct, indexed)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_any_function_of_the_moments(layout):
    regions = patchwork(2, 20, 30)
    features = torch.randn(2, 4, 20, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    features = features.contiguous(memory_format=layout)
    generator = torch.Generator().manual_seed(4)
    gradients = []
    for function in (region_moments, slow_moments):
        leaf = features.clone().requires_grad_()
        mean, covariance = function(leaf, regions)[:2]
        weights = [torch.randn(x.shape, dtype=x.dtype, generator=generator.manual_seed(5)) for x in (mean, covariance)]
        ((mean * weights[0]).sum() + (covariance * weights[1]).sum()).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)
    assert (gradients[0].movedim(1, -1)[regions < 0] == 0).all()


def test_gradcheck():
    regions = torch.tensor([[[0, 0, 3], [3, 3, -1]], [[3, 3, 3], [9, 9, 7]]])
    features = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: region_moments(x, regions)[:2], features)


def test_no_digits_are_lost_to_a_large_offset():
    regions = patchwork(1, 30, 40)
    features = torch.randn(1, 6, 30, 40, generator=torch.Generator().manual_seed(6))
    offset = features + 1e4
    expected = slow_moments(offset, regions)[1].float()
    torch.testing.assert_close(region_moments(offset, regions).covariance, expected, atol=1e-4, rtol=1e-3)


def test_half_precision_and_autocast_compute_in_float32():
    regions = patchwork(1, 16, 20)
    features = torch.randn(1, 4, 16, 20).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, covariance, _, _ = region_moments(features, regions)
        assert mean.dtype == covariance.dtype == torch.float32
        (mean.sum() + covariance.sum()).backward()
    leaf = features.detach().float().requires_grad_()
    plain = region_moments(leaf, regions)
    (plain.mean.sum() + plain.covariance.sum()).backward()
    assert torch.equal(plain.covariance, covariance)
    torch.testing.assert_close(features.grad.float(), leaf.grad, atol=1e-2, rtol=1e-2)


def test_no_region_at_all():
    features = torch.randn(2, 4, 6, 6, requires_grad=True)
    mean, covariance, count, image = region_moments(features, torch.full((2, 6, 6), -1))
    assert mean.shape == (0, 4)
    assert covariance.shape == (0, 4, 4)
    assert len(count) == len(image) == 0
    (mean.sum() + covariance.sum()).backward()
    assert (features.grad == 0).all()


def test_a_broken_pixel_spoils_its_region_alone():
    regions = torch.arange(4).repeat_interleave(9).view(1, 6, 6)
    features = torch.randn(1, 3, 6, 6)
    features[0, 0, 0, 0] = torch.nan
    covariance = region_moments(features, regions).covariance
    assert covariance[0].isnan().any()
    assert covariance[1:].isfinite().all()


def test_errors_tell_the_remedy():
    with pytest.raises(ValueError, match=r"resize one of them"):
        region_moments(torch.randn(1, 3, 4, 4), torch.zeros(1, 8, 8, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"\.int\(\)"):
        region_moments(torch.randn(1, 3, 4, 4), torch.zeros(1, 4, 4))
