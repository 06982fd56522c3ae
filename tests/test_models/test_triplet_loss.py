"""Triplet loss and the head that labels pairs, against naive loops and by hand."""

import pytest
import torch

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.heads import ContrastiveHead, MatchingHead
from osdpm_plugin.models.losses import TripletLoss, pair_labels, triplet_hinges
from osdpm_plugin.structures import CaptionBatch
from tests.test_models.test_losses import CAPTION_IMAGE_IDS, CAPTION_KEYS, IMAGE_IDS

IDS = dict(image_ids=IMAGE_IDS, caption_image_ids=CAPTION_IMAGE_IDS, caption_keys=CAPTION_KEYS)
CAPTIONS = CaptionBatch(texts=torch.zeros(4, 2, dtype=torch.int64), object_counts=None, **IDS)


def labels(positives):
    positives = torch.tensor(positives, dtype=torch.bool)
    return positives, torch.zeros_like(positives)


def naive(scores, positives, ignored, margin, reduction, hardest):
    total = 0.0
    for s, p, i in ((scores, positives, ignored), (scores.T, positives.T, ignored.T)):
        terms = []
        for row in range(len(s)):
            for anchor in range(s.shape[1]):
                if p[row, anchor]:
                    hinges = [
                        max(0.0, margin - float(s[row, anchor]) + float(s[row, c]))
                        for c in range(s.shape[1])
                        if not p[row, c] and not i[row, c]
                    ]
                    terms += [max(hinges)] if hardest and hinges else hinges
        total += sum(terms) / (max(len(terms), 1) if reduction == 'mean' else 1)
    return total


def test_by_hand():
    """Rows: 0.2 - 0.5 + 0.4 = 0.1, 0.2 - 0.1 + 0.3 = 0.4; columns: 0.2 - 0.5 + 0.3 = 0, 0.2 - 0.1 + 0.4 = 0.5."""
    scores = torch.tensor([[0.5, 0.4], [0.3, 0.1]], dtype=torch.float64)
    pair = labels([[1, 0], [0, 1]])
    assert TripletLoss()(scores, *pair).item() == pytest.approx(0.1 + 0.4 + 0.0 + 0.5)
    assert TripletLoss(reduction='mean')(scores, *pair).item() == pytest.approx((0.1 + 0.4) / 2 + (0.0 + 0.5) / 2)
    assert TripletLoss(margin=0)(scores, *pair).item() == pytest.approx(0.2 + 0.3)


def test_hardest_by_hand():
    scores = torch.tensor([[0.5, 0.4, 0.6]], dtype=torch.float64)
    pair = labels([[1, 0, 0]])
    assert TripletLoss()(scores, *pair).item() == pytest.approx(0.1 + 0.3)
    assert TripletLoss(hardest=True)(scores, *pair).item() == pytest.approx(0.3)


@pytest.mark.parametrize('hardest', [False, True])
@pytest.mark.parametrize('reduction', ['sum', 'mean'])
@pytest.mark.parametrize('seed', range(4))
def test_equals_the_naive_loops(seed, reduction, hardest):
    generator = torch.Generator().manual_seed(seed)
    scores = 0.3 * torch.randn(5, 8, generator=generator, dtype=torch.float64)
    positives = torch.rand(5, 8, generator=generator) < 0.25
    positives[1], positives[:, 3] = False, False
    ignored = (torch.rand(5, 8, generator=generator) < 0.25) & ~positives
    loss = TripletLoss(margin=0.25, reduction=reduction, hardest=hardest)
    want = naive(scores, positives, ignored, 0.25, reduction, hardest)
    assert loss(scores, positives, ignored).item() == pytest.approx(want, abs=1e-12)
    assert torch.autograd.gradcheck(lambda s: loss(s, positives, ignored), scores.requires_grad_())


@pytest.mark.parametrize('hardest', [False, True])
@pytest.mark.parametrize('positives', [[[0, 0], [0, 0]], [[1, 1], [1, 1]]])
def test_nothing_to_compare_is_zero_with_zero_gradient(positives, hardest):
    scores = torch.randn(2, 2, requires_grad=True)
    for reduction in ('sum', 'mean'):
        loss = TripletLoss(reduction=reduction, hardest=hardest)(scores, *labels(positives))
        loss.backward()
        assert loss.item() == 0 and not scores.grad.any()


def test_ignored_scores_do_not_reach_the_loss():
    scores = torch.tensor([[0.5, 9.0], [0.3, 0.1]])
    positives, ignored = labels([[1, 0], [0, 1]])
    ignored[0, 1] = True
    low = scores.clone()
    low[0, 1] = -9
    assert TripletLoss()(scores, positives, ignored) == TripletLoss()(low, positives, ignored)
    hinges, negatives = triplet_hinges(scores, positives, ignored, 0.2)
    assert negatives.tolist() == [[False, False], [True, False]] and not hinges[0].any()


def test_half_precision_is_computed_in_float32():
    scores = torch.tensor([[0.5, 0.4001], [0.3, 0.1]], dtype=torch.bfloat16)
    loss = TripletLoss()(scores, *labels([[1, 0], [0, 1]]))
    assert loss.dtype == torch.float32
    assert loss == TripletLoss()(scores.float(), *labels([[1, 0], [0, 1]]))


def test_labels_by_hand():
    """Image 7 and 8 share a text: captions 2 and 1 are each other's second home."""
    own = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    twice = [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    both = (torch.tensor(own) + torch.tensor(twice)).tolist()
    none = [[0] * 4] * 3
    for rule, positives, ignored in (('positive', both, none), ('ignore', own, twice), ('negative', own, none)):
        got = pair_labels(**IDS, identical_captions=rule)
        assert got[0].int().tolist() == positives and got[1].int().tolist() == ignored


@pytest.mark.parametrize('rule', ['positive', 'ignore', 'negative'])
def test_head_weighs_and_names_its_losses(rule):
    scores = torch.randn(3, 4, dtype=torch.float64)
    losses = [dict(type='TripletLoss', margin=0.3), dict(type='MatchingBCELoss', hardest=False)]
    head = MatchingHead(losses=losses, weights=[1.0, 0.5], identical_captions=rule)
    losses = head.loss(None, None, CAPTIONS, scores=scores.sigmoid())
    assert list(losses) == ['loss_triplet', 'loss_matching_bce'] and head.needs_scores and head.prompt_tokens is None
    pair = pair_labels(**IDS, identical_captions=rule)
    assert losses['loss_triplet'] == head.losses[0](scores.sigmoid(), *pair)
    assert losses['loss_matching_bce'] == 0.5 * head.losses[1](scores.sigmoid(), *pair)


def test_the_place_in_the_batch_means_nothing():
    scores = torch.randn(3, 4, dtype=torch.float64)
    head = MatchingHead(losses=[dict(type='TripletLoss')])
    rows, columns = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 0, 2])
    first = head.loss(None, None, CAPTIONS, scores=scores)
    captions = dict(caption_image_ids=CAPTION_IMAGE_IDS[columns], caption_keys=CAPTION_KEYS[columns])
    moved = CAPTIONS._replace(image_ids=IMAGE_IDS[rows], **captions)
    second = head.loss(None, None, moved, scores=scores[rows][:, columns])
    assert first['loss_triplet'].item() == pytest.approx(second['loss_triplet'].item(), abs=1e-12)


def test_errors():
    for options, message in (
        (dict(margin=-0.1), 'margin must be a number of at least 0, got -0.1'),
        (dict(reduction='max'), "reduction must be one of 'sum', 'mean', got 'max'"),
    ):
        with pytest.raises(ConfigError, match=message):
            TripletLoss(**options)
    triplet = dict(type='TripletLoss')
    for options, message in (
        (dict(losses=[]), 'one or more losses of different types, got 0'),
        (dict(losses=[triplet, triplet]), 'one or more losses of different types, got 2'),
        (dict(losses=[triplet], weights=[1.0, 1.0]), 'weights must be 1 positive numbers'),
        (dict(losses=[triplet], weights=[0.0]), 'weights must be 1 positive numbers'),
        (dict(losses=[triplet], identical_captions='both'), "identical_captions must be one of 'positive', 'ignore'"),
    ):
        with pytest.raises(ConfigError, match=message):
            MatchingHead(**options)
    with pytest.raises(ConfigError, match='needs the scores of the batch'):
        MatchingHead(losses=[triplet]).loss(None, None, CAPTIONS)
    assert not ContrastiveHead.needs_scores
