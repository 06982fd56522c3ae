"""Necks of one linear layer, by hand and without a leak from padding."""

import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.models.necks import LinearNeck, RegionNeck, WordProjection
from osdpm_plugin.structures import TextFeatures


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randomise(module):
    for p in module.parameters():
        torch.nn.init.normal_(p)
    return module.double()


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('normalize_input', [False, True])
def test_linear_neck_by_hand(normalize_input, normalize):
    neck = randomise(LinearNeck(in_channels=3, embed_dims=4, normalize_input=normalize_input, normalize=normalize))
    maps = torch.randn(2, 5, 3, 2, 4, dtype=torch.float64).unbind()  # two scales, the last counts
    out = neck(maps)
    assert out.regions is out.saliency is out.scale_weights is None
    for image, embedding in zip(maps[-1], out.embedding):
        mean = image.sum(dim=(1, 2)) / 8
        want = neck.linear.weight @ (mean / mean.norm() if normalize_input else mean) + neck.linear.bias
        torch.testing.assert_close(embedding, want / want.norm() if normalize else want)
    out.embedding[:, 0].sum().backward()
    assert all(p.grad.any() for p in neck.parameters())


@pytest.mark.parametrize('normalize', [False, True])
def test_region_neck_by_hand(normalize):
    neck = randomise(RegionNeck(in_channels=3, embed_dims=4, normalize=normalize))
    last = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    out = neck((last,))
    assert out.regions.shape == (2, 6, 4)
    for b in range(2):
        for y in range(2):
            for x in range(3):
                want = neck.linear.weight @ last[b, :, y, x] + neck.linear.bias
                want = want / want.norm() if normalize else want
                torch.testing.assert_close(out.regions[b, 3 * y + x], want)
        mean = out.regions[b].mean(dim=0)
        torch.testing.assert_close(out.embedding[b], mean / mean.norm() if normalize else mean)
    out.regions[..., 0].sum().backward()
    assert all(p.grad.any() for p in neck.parameters())


@pytest.mark.parametrize('in_channels', [None, 3])
@pytest.mark.parametrize('normalize', [False, True])
def test_word_projection_by_hand(in_channels, normalize):
    width = 4 if in_channels is None else in_channels
    neck = randomise(WordProjection(embed_dims=4, in_channels=in_channels, normalize=normalize))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    words, pooled = torch.randn(2, 3, width, dtype=torch.float64), torch.randn(2, width, dtype=torch.float64)
    out = neck(TextFeatures(words=words, mask=mask, pooled=pooled))
    wild = neck(TextFeatures(words=words.masked_fill(~mask[..., None], float('nan')), mask=mask, pooled=pooled))
    assert torch.equal(wild.words, out.words) and torch.equal(out.mask, mask)
    assert not out.words[~mask].any()

    def want(x):
        y = x if in_channels is None else neck.linear.weight @ x + neck.linear.bias
        return F.normalize(y, dim=0) if normalize else y

    torch.testing.assert_close(out.pooled, torch.stack([want(x) for x in pooled]))
    torch.testing.assert_close(out.words[mask], torch.stack([want(x) for x in words[mask]]))
    (out.words[..., 0].sum() + out.pooled[..., 0].sum()).backward() if in_channels else None
    assert all(p.grad.any() for p in neck.parameters())
