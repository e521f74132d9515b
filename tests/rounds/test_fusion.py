from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crosstask.ops.activations import normalised
from crosstask.rounds.fusion import fuse
from tests.shared import shared

NAN = float("nan")


@pytest.fixture
def released():
    archive = np.load(shared("fixtures/others/auxseg_pseudo_label.npz"))
    return {name: torch.from_numpy(archive[name]) for name in archive.files}


def test_the_released_pseudo_labels_are_reproduced_pixel_by_pixel(released):
    cam = normalised(released["in_cam"])
    torch.testing.assert_close(cam, released["out_cam_norm"])
    refined = (released["in_aff"] @ cam.flatten(2).mT).mT.reshape(cam.shape)
    torch.testing.assert_close(refined, released["out_cam_refined"])
    size = {"size": (17, 21), "mode": "bilinear", "align_corners": False}
    refined = F.interpolate(refined, **size)[0]
    saliency = F.interpolate(released["in_ref_sal_logit"].sigmoid(), **size)[0, 0]
    saliency = (saliency.double() + released["in_init_sal"]) / 2
    torch.testing.assert_close(saliency, released["out_fused_sal"], atol=1e-6, rtol=1e-6)
    thresholds = {"cam": float(released["thr_cam"]), "salient": float(released["thr_sal"])}
    for given, expected in ((saliency, "out_pgt_nocrf"), (released["out_crf_sal"][0], "out_pgt_crf")):
        found = fuse(refined, released["in_tags"][0], given, range(1, 5), 0, **thresholds)
        theirs = released[expected][0]
        assert torch.equal(found, theirs.where(theirs != 255, -1))


def pixel(activations, tags, saliency, **options):
    given = torch.tensor(activations).reshape(-1, 1, 1)
    maps = None if saliency is None else torch.tensor([[saliency]])
    return int(fuse(given, torch.tensor(tags), maps, [3, 1], 0, **options))


@pytest.mark.parametrize(
    ("activations", "tags", "saliency", "expected"),
    [
        ([0.9, 0.5], [1.0, 1.0], 0.5, 3),  # seen and salient
        ([0.9, 0.5], [0.0, 1.0], 0.5, 1),  # the other tag is absent
        ([0.1, 0.1], [1.0, 1.0], 0.01, 0),  # neither
        ([0.1, 0.1], [1.0, 1.0], 0.5, -1),  # salient, not seen
        ([0.9, 0.5], [1.0, 1.0], 0.01, -1),  # seen, not salient
        ([0.9, 0.5], [0.0, 0.0], 0.5, -1),  # no tag explains what is salient
        ([0.9, 0.5], [0.0, 0.0], 0.01, 0),
        ([0.9, 0.5], [NAN, 1.0], 0.5, -1),  # the first may be there: not the second for sure
        ([0.4, 0.5], [NAN, 1.0], 0.5, 1),
        ([0.9, 0.1], [NAN, NAN], 0.01, -1),  # an image without tags still knows some of its background
        ([0.1, 0.1], [NAN, NAN], 0.01, 0),
        ([0.9, 0.5], [1.0, 1.0], NAN, -1),  # no saliency here
        ([0.1, 0.1], [1.0, 1.0], NAN, -1),
        ([0.9, 0.5], [1.0, 1.0], None, 3),  # no saliency at all
        ([0.1, 0.1], [1.0, 1.0], None, 0),
        ([0.9, 0.5], [NAN, 1.0], None, -1),
    ],
)
def test_a_pixel_has_a_label_where_the_sources_agree(activations, tags, saliency, expected):
    assert pixel(activations, tags, saliency) == expected


def test_thresholds_are_exclusive():
    assert pixel([0.25, 0.0], [1.0, 1.0], 0.5, cam=0.25, salient=0.5) == 0
    assert pixel([0.25, 0.0], [1.0, 1.0], 0.75, cam=0.25, salient=0.5) == -1
    assert pixel([0.5, 0.0], [1.0, 1.0], 0.75, cam=0.25, salient=0.5) == 3
