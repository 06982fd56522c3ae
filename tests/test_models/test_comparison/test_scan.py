"""Stacked cross attention against naive loops that form every attended vector."""

import math

import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.scan import StackedCrossAttention, attended_cosines, pool_cosines
from osdpm_plugin.models.necks import RegionNeck
from osdpm_plugin.structures import NeckOutput, TextFeatures
from tests.helpers.comparison_models import regions_and_words

BOTH = pytest.mark.parametrize('direction', ['t2i', 'i2t'])
OPTIONS = {
    't2i': dict(direction='t2i', inverse_temperature=9.0, lse_scale=6.0),
    'i2t': dict(direction='i2t', inverse_temperature=4.0, lse_scale=5.0),
}


def an_image(regions):
    return NeckOutput.of(regions[:, 0], regions=regions)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


def naive_pair(queries, contexts, temperature, pooling, scale):
    """Lists of vectors -> one score, a step at a time."""
    cosines = [[cosine(q, c) for c in contexts] for q in queries]
    leaky = [[s if s > 0 else 0.1 * s for s in row] for row in cosines]
    scores = []
    for q, query in enumerate(queries):
        norms = [math.hypot(*column) for column in zip(*leaky)]
        logits = [temperature * value / norm for value, norm in zip(leaky[q], norms)]
        total = sum(math.exp(x) for x in logits)
        units = [[x / math.hypot(*c) for x in c] for c in contexts]
        mixture = [sum(math.exp(x) / total * u[d] for x, u in zip(logits, units)) for d in range(len(query))]
        scores.append(cosine(query, mixture))
    if pooling == 'mean':
        return sum(scores) / len(scores)
    return math.log(sum(math.exp(scale * s) for s in scores)) / scale


def naive_scores(images, texts, direction, inverse_temperature, pooling, lse_scale):
    rows = []
    for regions in images.regions.tolist():
        row = []
        for words, length in zip(texts.words.tolist(), texts.mask.sum(dim=1).tolist()):
            sides = (words[:length], regions) if direction == 't2i' else (regions, words[:length])
            row.append(naive_pair(*sides, inverse_temperature, pooling, lse_scale))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


@BOTH
@pytest.mark.parametrize('pooling', ['lse', 'mean'])
@pytest.mark.parametrize('seed', range(3))
def test_scores_equal_the_naive_loops(direction, pooling, seed):
    images, texts = regions_and_words(seed=10 * seed)
    similarity = StackedCrossAttention(**OPTIONS[direction], pooling=pooling)
    want = naive_scores(images, texts, pooling=pooling, **OPTIONS[direction])
    torch.testing.assert_close(similarity(images, texts), want, rtol=1e-10, atol=1e-12)
    single = similarity(images._replace(regions=images.regions.float()), texts._replace(words=texts.words.float()))
    torch.testing.assert_close(single.double(), want, rtol=2e-5, atol=2e-6)


def test_two_regions_and_one_word_by_hand():
    """One word (1, 0), regions (1, 0) and (0, 1), temperature ln 3.

    t2i: cosines (1, 0), divided by their norm over the one word (1, 0), weights 3 : 1, mixture (3/4, 1/4), cosine 3 /
    sqrt(10). i2t: every region sees the one word, cosines (1, 0).
    """
    images = an_image(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    words = torch.tensor([[[2.0, 0.0]]])
    texts = TextFeatures(words=words, mask=torch.ones(1, 1, dtype=torch.bool), pooled=words[:, 0])
    to_regions = StackedCrossAttention(direction='t2i', inverse_temperature=math.log(3))
    assert to_regions(images, texts).item() == pytest.approx(3 / math.sqrt(10), rel=1e-6)
    to_words = StackedCrossAttention(direction='i2t', pooling='mean')
    assert to_words(images, texts).item() == pytest.approx(0.5, rel=1e-6)
    to_words = StackedCrossAttention(direction='i2t', lse_scale=2.0)
    assert to_words(images, texts).item() == pytest.approx(math.log(math.exp(2) + 1) / 2, rel=1e-6)


@BOTH
def test_one_region_or_one_word_leaves_plain_cosines(direction):
    images, texts = regions_and_words(lengths=(1, 1), regions=1)
    want = F.normalize(images.regions[:, 0], dim=1) @ F.normalize(texts.words[:, 0], dim=1).mT
    torch.testing.assert_close(StackedCrossAttention(**OPTIONS[direction])(images, texts), want)


@BOTH
@pytest.mark.parametrize('training', [True, False])
def test_padding_changes_nothing(direction, training):
    images, texts = regions_and_words()
    similarity = StackedCrossAttention(**OPTIONS[direction]).train(training)
    _, wider = regions_and_words(padded_to=9)
    wider.words[~wider.mask] = float('nan')
    torch.testing.assert_close(similarity(images, wider), similarity(images, texts))
    for row, length in enumerate(texts.mask.sum(dim=1)):
        alone = TextFeatures(texts.words[[row], :length], texts.mask[[row], :length], texts.pooled[[row]])
        torch.testing.assert_close(similarity(images, alone)[:, 0], similarity(images, texts)[:, row])


@BOTH
def test_a_caption_without_words_scores_the_same_for_every_image(direction):
    images, texts = regions_and_words(images=3)
    texts.mask[1] = False
    regions = images.regions.requires_grad_()
    scores = StackedCrossAttention(**OPTIONS[direction])(an_image(regions), texts)
    assert scores.isfinite().all() and scores[:, 1].unique().numel() == 1
    scores.sum().backward()
    assert regions.grad.isfinite().all()


@BOTH
@pytest.mark.parametrize('pooling', ['lse', 'mean'])
def test_gradients_are_right(direction, pooling):
    images, texts = regions_and_words(lengths=(2, 3), regions=3, width=4)
    similarity = StackedCrossAttention(**OPTIONS[direction], pooling=pooling)

    def scores(regions, words):
        return similarity(an_image(regions), texts._replace(words=words))

    regions, words = images.regions.clone().requires_grad_(), texts.words.clone().requires_grad_()
    assert torch.autograd.gradcheck(scores, (regions, words))
    scores(regions, words).sum().backward()
    assert (words.grad[~texts.mask] == 0).all() and (words.grad[texts.mask].abs().sum(dim=-1) > 0).all()


@BOTH
def test_mixed_precision_does_not_blur_the_scores(direction):
    images, texts = regions_and_words()
    similarity = StackedCrossAttention(**OPTIONS[direction])
    images = images._replace(regions=images.regions.float())
    texts = texts._replace(words=texts.words.float())
    exact = similarity(images, texts)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(similarity(images, texts), exact)
    half = similarity(images._replace(regions=images.regions.bfloat16()), texts._replace(words=texts.words.bfloat16()))
    assert half.dtype == torch.float32


def test_opposite_vectors_that_cancel_are_no_division_by_zero():
    contexts = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]], requires_grad=True)
    queries = torch.tensor([[[0.0, 1.0]]])
    got = attended_cosines(queries, contexts, inverse_temperature=1.0, slope=0.1)
    got.sum().backward()
    assert got.item() == 0 and contexts.grad.isfinite().all()


def test_pooling_by_hand():
    cosines = torch.tensor([[[0.0, math.log(3), 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert pool_cosines(cosines, mask, pooling='lse', lse_scale=1.0).item() == pytest.approx(math.log(4))
    assert pool_cosines(cosines, mask, pooling='mean', lse_scale=1.0).item() == pytest.approx(math.log(3) / 2)
    assert pool_cosines(cosines, None, pooling='mean', lse_scale=1.0).item() == pytest.approx((math.log(3) + 9) / 3)


@pytest.mark.parametrize(
    ('key', 'value'),
    [('direction', 'both'), ('pooling', 'max'), ('inverse_temperature', 0.0), ('lse_scale', -1.0), ('slope', 2.0)],
)
def test_arguments_out_of_range(key, value):
    with pytest.raises(ConfigError, match=key):
        StackedCrossAttention(**{'direction': 't2i', key: value})


def test_inputs_that_do_not_fit():
    images, texts = regions_and_words()
    similarity = StackedCrossAttention(direction='t2i')
    assert not similarity.indexable
    with pytest.raises(ConfigError, match='gives no regions'):
        similarity(images._replace(regions=None), texts)
    with pytest.raises(ConfigError, match='regions have 6 values, words 4'):
        similarity(images, texts._replace(words=texts.words[..., :4]))


def test_regions_are_the_cells_row_by_row():
    """A map with (3, 4), (1, 0) above (0, 2), (0, 0)."""
    cells = torch.tensor([[[3.0, 4.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]]).permute(2, 0, 1)[None]
    output = RegionNeck()((torch.zeros(1, 5, 4, 4), cells))
    assert output.regions[0].flatten().tolist() == pytest.approx([0.6, 0.8, 1, 0, 0, 1, 0, 0])
    mean = torch.tensor([1.6, 1.8])
    torch.testing.assert_close(output.embedding[0], mean / mean.norm())
    assert output.saliency is None and output.scale_weights is None
