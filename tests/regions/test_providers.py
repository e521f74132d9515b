import inspect

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from crosstask.errors import RecipeError
from crosstask.regions import PROVIDERS, Felzenszwalb, Given, Grid, Slic
from crosstask.tasks import Segmentation

SUPERPIXELS = [Slic(segments=30), Felzenszwalb(scale=200, min_size=20), Slic(segments=12, sigma=1.0, compactness=5.0)]


def blocks(height: int = 60, width: int = 80) -> np.ndarray:
    """Four flat quarters of different colours with a little noise, uint8 (H, W, 3)."""
    image = np.zeros((height, width, 3))
    image[: height // 2, : width // 2] = (220, 30, 30)
    image[: height // 2, width // 2 :] = (30, 220, 30)
    image[height // 2 :, : width // 2] = (30, 30, 220)
    image[height // 2 :, width // 2 :] = (220, 220, 220)
    return (image + np.random.default_rng(0).normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("height", "width", "patch"), [(7, 10, 3), (6, 6, 6), (5, 4, 8), (8, 12, 4), (3, 2, 1)])
def test_grid_is_what_counting_gives(height: int, width: int, patch: int) -> None:
    ids = Grid(patch=patch)(np.zeros((height, width, 3), np.uint8))
    corners: dict[tuple[int, int], int] = {}
    for row in range(height):
        for column in range(width):
            corners.setdefault((row // patch, column // patch), len(corners))
    numbers = {corner: number for number, corner in enumerate(sorted(corners))}
    expected = [[numbers[row // patch, column // patch] for column in range(width)] for row in range(height)]
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, expected)


@pytest.mark.parametrize("provider", SUPERPIXELS, ids=str)
def test_superpixels_cover_every_pixel_with_ids_without_gaps(provider: Slic | Felzenszwalb) -> None:
    ids = provider(blocks())
    assert ids.dtype == np.int32
    assert ids.shape == (60, 80)
    np.testing.assert_array_equal(np.unique(ids), np.arange(ids.max() + 1))
    assert ids.max() >= 3


@pytest.mark.parametrize("provider", SUPERPIXELS, ids=str)
def test_a_superpixel_is_connected(provider: Slic | Felzenszwalb) -> None:
    ids = provider(blocks())
    for value in range(ids.max() + 1):
        assert ndimage.label(ids == value, structure=np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("provider", [Slic(segments=30), Felzenszwalb(scale=500, sigma=0.3)], ids=str)
def test_superpixels_keep_to_the_borders_of_plain_areas(provider: Slic | Felzenszwalb) -> None:
    ids = provider(blocks())
    quarter = np.arange(60)[:, None] // 30 * 2 + np.arange(80) // 40
    majority = sum(np.bincount(quarter[ids == value]).max() for value in range(ids.max() + 1))
    assert majority / ids.size > 0.98


@pytest.mark.parametrize("provider", [*SUPERPIXELS, Grid(patch=9)], ids=str)
def test_float_tensor_array_and_bytes_give_the_same_ids(provider: Slic | Felzenszwalb | Grid) -> None:
    image = blocks()
    as_float = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    expected = provider(image)
    np.testing.assert_array_equal(provider(as_float), expected)
    np.testing.assert_array_equal(provider(as_float.numpy()), expected)


@pytest.mark.parametrize("provider", [Slic(), Felzenszwalb(), Grid()], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 5), (40, 30)])
def test_plain_and_tiny_images(provider: Slic | Felzenszwalb | Grid, size: tuple[int, int]) -> None:
    ids = provider(np.full((*size, 3), 128, np.uint8))
    assert ids.shape == size
    assert ids.min() >= 0


def test_felzenszwalb_merges_what_is_smaller_than_asked() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for reduce, smallest in ((1, 25), (2, 24)):
        ids = Felzenszwalb(scale=1, min_size=25, reduce=reduce)(image)
        assert np.bincount(ids.ravel()).min() >= smallest


@pytest.mark.parametrize("size", [(60, 80), (59, 78), (58, 77)])
def test_reduced_felzenszwalb_is_that_of_the_shrunk_image_enlarged(size: tuple[int, int]) -> None:
    image = blocks()[: size[0], : size[1]]
    shrunk = np.asarray(Image.fromarray(image).reduce(3))
    small = Felzenszwalb(scale=20, sigma=0.5, min_size=2, reduce=1)(shrunk)
    ids = Felzenszwalb(scale=20, sigma=1.5, min_size=18, reduce=3)(image)
    assert ids.max() >= 3
    for row in range(size[0]):
        for column in range(size[1]):
            assert ids[row, column] == small[row // 3, column // 3]


def test_more_segments_give_more_regions() -> None:
    counts = [Slic(segments=segments)(blocks()).max() for segments in (5, 20, 80)]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("image", [np.zeros((4, 5), np.uint8), np.zeros((5, 4, 4), np.uint8), np.zeros((3, 4, 5), int)])
def test_what_is_no_rgb_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"found u?int\d+ \("):
        Grid()(image)


@pytest.mark.parametrize("connected", [True, False])
def test_given_is_what_labelling_each_value_gives(connected: bool) -> None:
    labels = np.random.default_rng(1).choice([0, 3, 7, 255, -1], size=(20, 24)).astype(np.int64)
    expected = np.full(labels.shape, -1)
    count = 0
    for value in (0, 3, 7):
        parts = ndimage.label(labels == value, structure=np.ones((3, 3)))[0] if connected else labels == value
        for part in range(1, int(parts.max()) + 1):
            expected[parts == part] = count
            count += 1
    ids = Given("semantic", connected=connected)(labels)
    assert ids.dtype == np.int32
    pairs = np.unique(np.stack([ids.ravel(), expected.ravel()], 1), axis=0)
    assert len(pairs) == count + 1  # one to one
    np.testing.assert_array_equal(ids == -1, expected == -1)
    np.testing.assert_array_equal(np.unique(ids), np.arange(-1, count))


def test_given_reads_colours_and_another_label_for_none() -> None:
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:, :2] = (1, 0, 0)
    colours[:, 2:4] = (0, 1, 0)
    ids = Given("panoptic", none=0)(colours)
    np.testing.assert_array_equal(ids, np.repeat([[0, 0, 1, 1, -1, -1]], 4, axis=0))


@pytest.mark.parametrize("labels", [np.full((3, 4), 255, np.uint8), np.full((3, 4), -2, np.int64)])
def test_given_without_any_label_is_none_everywhere(labels: np.ndarray) -> None:
    assert (Given("semantic")(labels) == -1).all()


def test_given_reads_labels_as_the_task_does() -> None:
    rng = np.random.default_rng(2)
    labels = rng.choice([0.0, 4.0, 12.0, -1.0, 255.0], size=(12, 16)).astype(np.float32)
    task = Segmentation("semantic", classes=13)
    expected = task.parse(labels).numpy()
    for stored in (labels, labels[..., None], np.where(labels < 0, np.nan, labels)[None]):
        ids = Given("semantic", connected=False)(stored)
        np.testing.assert_array_equal(ids < 0, expected < 0)
        assert len(np.unique(np.stack([ids, expected]).reshape(2, -1), axis=1).T) == 4
    remap = {0: 0, 4: 0, 12: 1}
    ids = Given("semantic", remap=remap, connected=False)(labels)
    np.testing.assert_array_equal(ids, Segmentation("semantic", classes=2, remap=remap).parse(labels).numpy())


def test_given_refuses_fractions() -> None:
    with pytest.raises(ValueError, match="fractions or infinite: store whole numbers"):
        Given("depth")(np.full((3, 4), 1.5, np.float32))
    for remap in ({}, {-1: 0}):
        with pytest.raises(RecipeError, match="remap is"):
            Given("semantic", remap=remap)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Grid, {"patch": 0}),
        (Slic, {"segments": 0}),
        (Slic, {"compactness": 0.0}),
        (Slic, {"iterations": 0}),
        (Slic, {"sigma": -1.0}),
        (Felzenszwalb, {"scale": -1.0}),
        (Felzenszwalb, {"min_size": 0}),
        (Felzenszwalb, {"reduce": 0}),
    ],
)
def test_a_parameter_out_of_range_is_named(kind: type, options: dict[str, float]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(RecipeError, match=f"{name} is {value}"):
        kind(**options)


def test_the_registry_names_providers_and_documents_their_parameters() -> None:
    assert list(PROVIDERS) == ["slic", "felzenszwalb", "grid", "sam", "given"]
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        for parameter in inspect.signature(provider).parameters:
            assert f"\n        {parameter}: " in (provider.__doc__ or "") or f"\n    {parameter}: " in inspect.getdoc(
                provider
            )
