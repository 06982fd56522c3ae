"""AMFMN's neck and similarity against loops, and its size against the published one."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.amfmn.multiscale_self_attention import MultiScaleSelfAttention
from osdpm_plugin.models.comparison.amfmn.visual_guided import VisualGuidedSimilarity
from osdpm_plugin.models.necks import LinearTextNeck
from osdpm_plugin.structures import ImageFeatures, NeckOutput, as_text_features
from tests.helpers.comparison_models import comparison_model, count

FUSIONS = ('soft', 'fusion', 'sim')
RESNET_CLASSIFIER = 512 * 1000 + 1000  # which the released code builds and never uses
SKIP_THOUGHTS = 3 * 2400 * (620 + 2400 + 1)
RSICD_WORDS = 1345  # of at least five occurrences, as the released code keeps them; from GaLR's count to 0.005 M
ORIGINAL_TEXT = SKIP_THOUGHTS + 620 * RSICD_WORDS + 2400 * 512 + 512


def without_text(model):
    """Parameters of all but the text side, with what the released code has and never uses."""
    return count(model) - count(model.text_tower) - count(model.text_neck) + RESNET_CLASSIFIER


def maps_of(sizes=((3, 8), (4, 4), (5, 2), (6, 1)), batch=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, c, s, s, generator=generator, dtype=dtype) for c, s in sizes)


def a_neck(seed=0, **options):
    torch.manual_seed(seed)
    return MultiScaleSelfAttention(**dict(dict(in_channels=(3, 4, 5, 6), embed_dims=7, grid=2), **options)).double()


def naive_mvsa(neck, maps):
    """One image of four maps, on sizes where nothing is averaged; cell by cell."""
    f1, f2, f3, f4 = maps
    g, c = neck.grid, neck.reduce_low.out_channels
    low, high = torch.zeros(c, g, g).double(), torch.zeros(c, g, g).double()
    for i in range(g):
        for j in range(g):
            for o in range(c):
                total = neck.reduce_low.bias[o].clone()
                for di in range(3):
                    for dj in range(3):
                        y, x = 4 * i + di, 4 * j + dj
                        column = torch.cat([f1[:, y, x], f2[:, y // 2, x // 2]])
                        total += (neck.reduce_low.weight[o, :, di, dj] * column).sum()
                low[o, i, j] = total
                column = torch.cat([f3[:, i, j], f4[:, i // 2, j // 2]])
                high[o, i, j] = (neck.reduce_high.weight[o, :, 0, 0] * column).sum() + neck.reduce_high.bias[o]
    gated, gate = torch.zeros(g, g).double(), torch.zeros(g, g).double()
    for i in range(g):
        for j in range(g):
            both = torch.cat([low[:, i, j], high[:, i, j]]) + high[:, i, j].mean()
            value = (neck.value.weight[0, :, 0, 0] * both).sum() + neck.value.bias[0]
            gate[i, j] = torch.sigmoid((neck.gate.weight[0, :, 0, 0] * both).sum() + neck.gate.bias[0])
            gated[i, j] = value * gate[i, j]
    mask = torch.sigmoid(neck.mask.weight @ gated.flatten() + neck.mask.bias)
    return mask * (neck.global_vector.weight @ f4.mean(dim=(1, 2)) + neck.global_vector.bias), gate


def test_mvsa_equals_the_loops():
    neck, maps = a_neck(), maps_of()
    with torch.no_grad():
        out = neck(maps)
        for b in range(2):
            vector, gate = naive_mvsa(neck, [m[b] for m in maps])
            torch.testing.assert_close(out.embedding[b], vector)
            torch.testing.assert_close(out.saliency[b], gate / gate.sum())
        unit = a_neck(normalize=True)(maps).embedding
    torch.testing.assert_close(unit, F.normalize(out.embedding, dim=1))


def test_the_published_sizes_pass_through_unchanged():
    """ResNet-18 at 256 px: 3x3 with stride 4 on 64 x 64 gives 16 x 16, as 1x1 on 16 x 16 does."""
    sizes = ((4, 64), (4, 32), (4, 16), (4, 8))
    neck = a_neck(in_channels=(4,) * 4, grid=16)
    maps = maps_of(sizes)
    low = torch.cat([maps[0], F.interpolate(maps[1], scale_factor=2)], dim=1)
    high = torch.cat([maps[2], F.interpolate(maps[3], scale_factor=2)], dim=1)
    high = neck.reduce_high(high)
    both = torch.cat([neck.reduce_low(low), high], dim=1) + high.mean(dim=1, keepdim=True)
    torch.testing.assert_close(neck.attend(ImageFeatures(maps)).gate, neck.gate(both).sigmoid().squeeze(1))


@pytest.mark.parametrize('stride', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('sizes', [((3, 7), (6, 7)), ((3, 1), (6, 1)), ((3, 13), (6, 5))])
def test_two_maps_of_any_size(sizes, stride):
    neck = a_neck(in_channels=(3, 6), grid=3, low_stride=stride)
    maps = maps_of(sizes)
    out = neck(maps)
    assert out.embedding.shape == (2, 7) and out.saliency.shape == (2, 3, 3)
    torch.testing.assert_close(out.saliency.sum(dim=(1, 2)), torch.ones(2).double())
    out.embedding.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in neck.parameters())
    alone = neck(tuple(m[1:] for m in maps)).embedding
    torch.testing.assert_close(alone, out.embedding[1:])


def test_mvsa_gradcheck():
    neck = a_neck()
    assert torch.autograd.gradcheck(lambda *maps: neck(maps)[3], tuple(m.requires_grad_() for m in maps_of()))


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (dict(in_channels=(3, 4, 5)), 'even number of maps'),
        (dict(in_channels=()), 'even number of maps'),
        (dict(grid=0), 'grid must be a whole number of at least 1, got 0'),
        (dict(low_stride=1.5), 'low_stride must be'),
    ],
)
def test_mvsa_arguments_out_of_range(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        a_neck(**options)


def test_mvsa_names_the_widths_of_the_maps():
    with pytest.raises(ConfigError, match=r'in_channels=\[3, 4, 5, 6\], but .* widths \[3, 4, 5\]'):
        a_neck()(maps_of()[:3])


def test_linear_text_neck_by_hand():
    neck = LinearTextNeck(in_channels=2, embed_dims=2, activation='relu', normalize=False)
    neck.linear.weight.data = torch.tensor([[1.0, 2.0], [-3.0, 0.0]])
    neck.linear.bias.data = torch.tensor([1.0, 1.0])
    texts = as_text_features(torch.tensor([[1.0, 1.0]]))
    assert neck(texts).tolist() == [[4.0, 0.0]]
    neck.activation = 'tanh'
    assert neck(texts)[0].tolist() == pytest.approx([math.tanh(4), math.tanh(-2)])
    neck.activation, neck.normalize = 'none', True
    assert neck(texts)[0].tolist() == pytest.approx([4 / 20**0.5, -2 / 20**0.5])
    with pytest.raises(ConfigError, match="activation must be one of .* got 'gelu'"):
        LinearTextNeck(in_channels=2, embed_dims=2, activation='gelu')


def a_similarity(fusion, width=5, seed=0):
    torch.manual_seed(seed)
    return VisualGuidedSimilarity(channels=width, fusion=fusion).double()


def sides(images=3, captions=4, width=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(images, width, generator=generator, dtype=torch.float64)
    return image, torch.randn(captions, width, generator=generator, dtype=torch.float64)


def score(similarity, image, text):
    return similarity(NeckOutput.of(image), as_text_features(text))


def naive_guided(similarity, v, t):
    """The caption as the image re-weights it, one pair."""
    if similarity.fusion == 'soft':
        return similarity.image_gate(v).sigmoid() * t
    if similarity.fusion == 'fusion':
        both = torch.cat([v / v.norm(), t / t.norm()])
        return similarity.pair_gate(both).sigmoid() * similarity.pair_value(both)
    return (similarity.image_key(v) * similarity.text_key(t)).sigmoid() * t


@pytest.mark.parametrize('fusion', FUSIONS)
def test_scores_equal_the_loops_over_pairs(fusion):
    similarity, (image, text) = a_similarity(fusion), sides()
    guided = torch.stack([torch.stack([naive_guided(similarity, v, t) for t in text]) for v in image])
    want = F.cosine_similarity(image[:, None], guided, dim=2)
    torch.testing.assert_close(score(similarity, image, text), want)
    torch.testing.assert_close(score(similarity, image[:1], text[2:3]), want[:1, 2:3])
    assert want.abs().max() < 1 and not VisualGuidedSimilarity.indexable


def test_soft_by_hand():
    """v = (3, 4), gate (1/2, 3/4), t = (2, 0): t' = (1, 0), cosine 3/5. t = (0, 1): cosine 4/5. t = (3, 2): t' = (3/2,
    3/2), cosine (4.5 + 6) / (5 * 1.5 * sqrt 2).
    """
    similarity = a_similarity('soft', width=2)
    similarity.image_gate.weight.data.zero_()
    similarity.image_gate.bias.data = torch.tensor([0.0, math.log(3)]).double()
    texts = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 2.0]]).double()
    got = score(similarity, torch.tensor([[3.0, 4.0]]).double(), texts)
    assert got[0].tolist() == pytest.approx([0.6, 0.8, 10.5 / (7.5 * 2**0.5)])


@pytest.mark.parametrize('fusion', FUSIONS)
def test_what_depends_on_the_lengths_of_the_vectors(fusion):
    """A gate is no cosine, hence the neck must not normalise; only ``fusion`` is about directions alone."""
    similarity, (image, text) = a_similarity(fusion), sides()
    before = score(similarity, image, text)
    of_image, of_text = score(similarity, 3 * image, text), score(similarity, image, 3 * text)
    want = {'soft': (False, True), 'fusion': (True, True), 'sim': (False, False)}[fusion]
    assert (torch.allclose(of_image, before), torch.allclose(of_text, before)) == want


@pytest.mark.parametrize('fusion', FUSIONS)
def test_similarity_gradients(fusion):
    similarity, (image, text) = a_similarity(fusion), sides()
    inputs = image.requires_grad_(), text.requires_grad_()
    assert torch.autograd.gradcheck(partial(score, similarity), inputs)
    score(similarity, image, text).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in similarity.parameters())


@pytest.mark.parametrize('fusion', FUSIONS)
def test_a_caption_of_zeros_is_finite(fusion):
    similarity, (image, text) = a_similarity(fusion), sides()
    text = text * torch.tensor([0.0, 1, 1, 1])[:, None]
    text.requires_grad_()
    scores = score(similarity, image, text)
    scores.sum().backward()
    assert scores.isfinite().all() and text.grad.isfinite().all()
    if fusion != 'fusion':
        assert (scores[:, 0] == 0).all()


@pytest.mark.parametrize('fusion', FUSIONS)
def test_half_precision_does_not_blur_the_scores(fusion):
    similarity, (image, text) = a_similarity(fusion).float(), [x.float() for x in sides()]
    want = score(similarity, image, text)
    with torch.autocast('cpu', torch.bfloat16):
        got = score(similarity, image, text)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want)


def test_similarity_arguments():
    with pytest.raises(ConfigError, match="must be one of 'soft', 'fusion', 'sim', got 'hard'"):
        VisualGuidedSimilarity(channels=4, fusion='hard')
    with pytest.raises(ConfigError, match='channels=5, but the image side has 5 values and the text side 4'):
        score(a_similarity('soft'), sides()[0], sides(width=4)[1])


def test_parameters_of_the_parts():
    neck = MultiScaleSelfAttention(in_channels=(64, 128, 256, 512), embed_dims=512)
    low, high, attention = 192 * 27 + 3, 768 * 3 + 3, 2 * 7
    assert count(neck) == low + high + attention + 257 * 512 + 513 * 512 == 401_748
    for fusion, size in (('soft', 513 * 512), ('fusion', 2 * 1025 * 512), ('sim', 2 * 513 * 512)):
        assert count(VisualGuidedSimilarity(channels=512, fusion=fusion)) == size


def test_size_with_the_original_text_side_is_the_published_one():
    model = comparison_model('amfmn_soft')
    assert without_text(model) + ORIGINAL_TEXT == pytest.approx(35.94e6, rel=0.01)
    assert count(model) - count(model.text_tower.embedding) == pytest.approx(14.60e6, abs=5e3)
