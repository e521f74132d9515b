import pytest
import torch

from crosstask.ops.moments import region_moments
from crosstask.ops.regions import index_regions, majority_class, region_means, sample_pixels


def made(seed=0):
    """Two maps of ids with gaps and pixels without a region."""
    generator = torch.Generator().manual_seed(seed)
    regions = torch.randint(-1, 6, (2, 7, 9), generator=generator) * 3
    return torch.where(regions < 0, -1, regions), generator


def test_means_equal_those_of_the_moments_and_so_do_their_gradients():
    regions, generator = made()
    index = index_regions(regions, minimum=3)
    features = torch.randn(2, 4, 7, 9, generator=generator, dtype=torch.float64)
    weight = torch.randn(len(index), 4, generator=generator, dtype=torch.float64)
    results = []
    for means in (lambda x: region_means(x, index), lambda x: region_moments(x, index).mean):
        leaf = features.clone().requires_grad_()
        value = means(leaf)
        (value * weight).sum().backward()
        results.append((value, leaf.grad))
    torch.testing.assert_close(results[0], results[1])


def test_means_of_half_precision_are_taken_in_single():
    regions, generator = made()
    index = index_regions(regions)
    features = torch.randn(2, 4, 7, 9, generator=generator).bfloat16()
    found = region_means(features, index)
    assert found.dtype == torch.float32
    assert torch.equal(found, region_means(features.float(), index))


def test_features_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"features \(2, 4, 7, 8\) do not fit regions \(2, 7, 9\)"):
        region_means(torch.zeros(2, 4, 7, 8), index_regions(made()[0]))


def test_sampled_pixels_are_of_their_regions_and_all_can_be_drawn():
    regions, generator = made()
    index = index_regions(regions, minimum=2)
    sample = sample_pixels(index, 200, generator)
    assert len(sample) == 200 * len(index)
    assert torch.equal(regions.flatten()[sample.pixel], sample.id)
    assert torch.equal(sample.pixel // 63, sample.image)
    assert torch.equal(sample.pixel.unique(), index.pixel.sort().values)
    features = torch.randn(2, 4, 7, 9, generator=generator)
    assert torch.equal(region_means(features, sample), features.permute(0, 2, 3, 1).reshape(-1, 4)[sample.pixel])


def test_samples_repeat_with_their_generator():
    index = index_regions(made()[0])
    first, second = (sample_pixels(index, 3, torch.Generator().manual_seed(5)).pixel for _ in range(2))
    assert torch.equal(first, second)


def test_majority_class_equals_a_count_region_by_region():
    regions, generator = made()
    labels = torch.randint(-1, 4, regions.shape, generator=generator)
    labels[1][regions[1] == 3] = -1
    index = index_regions(regions)
    found = majority_class(labels, index, 4)
    for row in range(len(index)):
        inside = labels[index.image[row]][regions[index.image[row]] == index.id[row]].tolist()
        votes = [inside.count(each) for each in range(4)]
        assert found[row] == (votes.index(max(votes)) if max(votes) else -1)
    assert (found == -1).sum() == 1


def test_majority_class_takes_no_label_that_would_be_counted_in_another_region():
    index = index_regions(torch.tensor([[[0, 0, 1, 1]]]))
    for labels, said in [([[[0, 3, 0, 0]]], "the id 3, classes have 0 to 2"), ([[[0, 1]]], "do not fit regions")]:
        with pytest.raises(ValueError, match=said):
            majority_class(torch.tensor(labels), index, 3)
