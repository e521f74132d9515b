import torch
from torch.nn import functional as F

from crosstask.networks.heads import MultiScaleHead, PooledHeads
from crosstask.tasks import KINDS


def test_multi_scale_head_is_a_1x1_convolution_of_the_concatenation():
    torch.manual_seed(0)
    channels, sizes = (3, 5, 2), ((16, 24), (8, 12), (2, 3))
    head = MultiScaleHead(channels, KINDS["depth"]("depth"), width=6).double()
    head.norm.weight.data.uniform_(0.5, 2)
    features = [torch.rand(2, c, *size, dtype=torch.double) for c, size in zip(channels, sizes, strict=True)]
    enlarged = [F.interpolate(maps, size=sizes[0], mode="bilinear", align_corners=False) for maps in features]
    weight = torch.cat([project.weight for project in head.project], dim=1)
    hidden = torch.einsum("oi,bihw->bohw", weight[..., 0, 0], torch.cat(enlarged, 1))
    hidden = (hidden - hidden.mean((0, 2, 3), keepdim=True)) / (
        hidden.var((0, 2, 3), unbiased=False, keepdim=True) + head.norm.eps
    ).sqrt()
    hidden = (hidden * head.norm.weight[:, None, None] + head.norm.bias[:, None, None]).relu()
    expected = torch.einsum("oi,bihw->bohw", head.predict.weight[..., 0, 0], hidden) + head.predict.bias[:, None, None]
    torch.testing.assert_close(head(features), expected)


def test_pooled_heads_are_linear_in_the_averages():
    torch.manual_seed(0)
    heads = PooledHeads((2, 3), {"tags": KINDS["tags"]("tags", classes=4)}, dropout=0.5).eval()
    features = [torch.rand(2, 2, 8, 8), torch.rand(2, 3, 4, 4)]
    averages = torch.stack([torch.cat([maps[b].flatten(1).mean(1) for maps in features]) for b in range(2)])
    head = heads.heads.items()[0][1]
    torch.testing.assert_close(heads(features)["tags"], averages @ head.weight.T + head.bias)
    assert not torch.equal(heads.train()(features)["tags"], heads(features)["tags"])
