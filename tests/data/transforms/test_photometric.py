import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from crosstask.data.sample import Sample
from crosstask.data.transforms.chains import Compose, augmentation, evaluation
from crosstask.data.transforms.photometric import ColourJitter, Strong, adjust, blur, grey
from crosstask.tasks import DepthMap
from crosstask.tasks.targets import as_target


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def mild() -> Tensor:
    """Colours far enough from 0 and 1 that no factor of the tests reaches these."""
    return 0.4 + 0.2 * torch.rand(3, 20, 30, generator=generator())


def sample() -> Sample:
    image = tv_tensors.Image(torch.rand(3, 24, 32, generator=generator()))
    return Sample("a", image, {"depth": as_target(DepthMap, torch.rand(1, 24, 32, generator=generator(1)))})


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("brightness", F.adjust_brightness),
        ("contrast", F.adjust_contrast),
        ("saturation", F.adjust_saturation),
    ],
)
def test_each_factor_is_that_of_torchvision(mild, name, reference, factor):
    torch.testing.assert_close(adjust(mild, **{name: factor}), reference(mild, factor), atol=2e-4, rtol=0)


def test_factors_together_are_torchvisions_one_after_the_other(mild):
    expected = F.adjust_saturation(F.adjust_brightness(F.adjust_contrast(mild, 0.8), 1.2), 1.3)
    torch.testing.assert_close(adjust(mild, 1.2, 0.8, 1.3), expected, atol=5e-4, rtol=0)


def test_turning_colours_keeps_luma_and_greys_and_closes_the_circle(mild):
    turned = adjust(mild, turn=0.2)
    assert (turned - mild).abs().max() > 0.01
    torch.testing.assert_close(grey(turned), grey(mild))
    torch.testing.assert_close(adjust(grey(mild), turn=0.3), grey(mild).contiguous())
    torch.testing.assert_close(adjust(adjust(mild, turn=0.3), turn=0.7), mild)
    # red becomes something greener, as a turn of the hue by a third does
    red = torch.tensor([0.6, 0.4, 0.4])[:, None, None]
    assert adjust(red, turn=1 / 3)[:, 0, 0].argmax() == F.adjust_hue(red, 1 / 3)[:, 0, 0].argmax()


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_blur_is_that_of_torchvision_away_from_the_edges(sigma):
    image = torch.rand(3, 30, 30, generator=generator())
    size = 2 * int(-(-3 * sigma // 1)) + 1
    inner = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(blur(image, sigma)[inner], F.gaussian_blur(image, size, sigma)[inner])
    assert blur(image[:, :1, :2], sigma).shape == (3, 1, 2)
    torch.testing.assert_close(blur(torch.full((3, 5, 5), 0.3), sigma), torch.full((3, 5, 5), 0.3))


@pytest.mark.parametrize("transform", [ColourJitter(1.0, 1.0, 1.0, 0.5), Strong(), Strong(1.0, 1.0, 1.0, 1.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_stay_images(transform, dtype):
    for seed in range(20):
        image = torch.rand(3, 9, 14, generator=generator(seed)).to(dtype)
        before = image.clone()
        out = transform.recolour(image, generator(seed))
        assert out.shape == image.shape
        assert out.dtype == dtype
        assert 0 <= out.min() <= out.max() <= 1 + (0 if dtype != torch.bfloat16 else 0.01)
        assert torch.equal(image, before)


def test_strong_does_each_of_its_parts_as_often_as_it_says():
    image = torch.rand(3, 8, 8, generator=generator())
    apart = {"jitter_p": 0.0, "grey_p": 0.0, "blur_p": 0.0}
    for part in apart:
        draws = [Strong(**{**apart, part: 0.3}).recolour(image, generator(seed)) for seed in range(300)]
        share = sum(not torch.equal(draw, image) for draw in draws) / 300
        assert share == pytest.approx(0.3, abs=0.08)


def test_strong_does_not_round_to_8_bits():
    out = Strong(jitter_p=1.0).recolour(torch.rand(3, 32, 32, generator=generator()), generator(1))
    assert (out * 255 - (out * 255).round()).abs().mean() > 0.1


def test_samples_keep_their_targets_and_the_type_of_the_image():
    before = sample()
    after = Strong(1.0, 1.0, 0.0, 1.0)(before, generator())
    assert isinstance(after.image, tv_tensors.Image)
    assert after.targets is before.targets
    assert not torch.equal(after.image, before.image)


def test_augmentation_depends_on_the_generator_alone_and_evaluation_on_nothing():
    before = sample()
    chain = augmentation((16, 20), (1.0, 2.0), 0.5, 0.4)
    first, again, other = (chain(before, generator(seed)) for seed in (1, 1, 2))
    assert first.size == (16, 20)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.targets["depth"].nan_to_num(0), again.targets["depth"].nan_to_num(0))
    assert not torch.equal(first.image, other.image)
    assert torch.equal(
        evaluation((12, 16))(before, generator(0)).image, evaluation((12, 16))(before, generator(1)).image
    )
    assert evaluation()(before, generator()) is before
    assert augmentation((24, 32), [1.0], 0.0, 0.0)(before, generator()).image.equal(before.image)


def test_compose_passes_one_generator_along():
    drawn = []

    def draw(sample: Sample, generator: torch.Generator) -> Sample:
        drawn.append(torch.rand((), generator=generator).item())
        return sample

    Compose(draw, draw)(sample(), generator(5))
    assert drawn == torch.rand(2, generator=generator(5)).tolist()
