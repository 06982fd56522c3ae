"""Losses against naive double loops, hand-worked cases and numeric gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.losses import ContrastiveLoss, caption_positives, info_nce, object_priors, prior_clustering

# Images 7, 8, 9; captions: two of 7, one of 8 with the text of 7's second, one of 9.
IMAGE_IDS = torch.tensor([7, 8, 9])
CAPTION_IMAGE_IDS = torch.tensor([7, 7, 8, 9])
CAPTION_KEYS = torch.tensor([100, 200, 200, 300])


def a_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = F.normalize(torch.randn(3, 8, generator=generator), dim=1)
    return image, F.normalize(torch.randn(4, 8, generator=generator), dim=1), IMAGE_IDS, CAPTION_IMAGE_IDS, CAPTION_KEYS


def naive_info_nce(scores, positives, ignored):
    rows = []
    for row, positive, skip in zip(scores.tolist(), positives.tolist(), ignored.tolist()):
        if any(positive):
            total = sum(math.exp(s) for s, i in zip(row, skip) if not i)
            terms = [-math.log(math.exp(s) / total) for s, p in zip(row, positive) if p]
            rows.append(sum(terms) / len(terms))
    return sum(rows) / max(len(rows), 1)


def test_positives_of_a_hand_worked_batch():
    own, same_text = caption_positives(IMAGE_IDS, CAPTION_IMAGE_IDS, CAPTION_KEYS)
    assert own.int().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert same_text.int().tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_positives_do_not_depend_on_order():
    own, same_text = caption_positives(IMAGE_IDS, CAPTION_IMAGE_IDS, CAPTION_KEYS)
    rows, columns = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 0, 2])
    shuffled = caption_positives(IMAGE_IDS[rows], CAPTION_IMAGE_IDS[columns], CAPTION_KEYS[columns])
    assert torch.equal(shuffled[0], own[rows][:, columns]) and torch.equal(shuffled[1], same_text[rows][:, columns])


def test_info_nce_by_hand():
    """Scores (0, ln 3): the positive at 0 has probability 1/4, so the loss is ln 4; with both positive, (ln 4 + ln
    4/3) / 2.
    """
    scores = torch.tensor([[0.0, math.log(3)]])
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    assert info_nce(scores, torch.tensor([[True, False]]), nothing).item() == pytest.approx(math.log(4))
    both = info_nce(scores, torch.tensor([[True, True]]), nothing).item()
    assert both == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)
    assert info_nce(scores, torch.tensor([[True, False]]), torch.tensor([[False, True]])).item() == pytest.approx(0.0)


@pytest.mark.parametrize('seed', range(4))
def test_info_nce_equals_the_naive_loops(seed):
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(5, 9, generator=generator, dtype=torch.float64)
    positives = torch.rand(5, 9, generator=generator) < 0.3
    positives[2] = False  # a row without any
    ignored = (torch.rand(5, 9, generator=generator) < 0.2) & ~positives
    want = naive_info_nce(scores, positives, ignored)
    assert info_nce(scores, positives, ignored).item() == pytest.approx(want, abs=1e-12)


def test_info_nce_is_clip_loss_on_plain_pairs():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 6, generator=generator)
    got = info_nce(scores, torch.eye(6, dtype=torch.bool), torch.zeros(6, 6, dtype=torch.bool))
    assert torch.allclose(got, F.cross_entropy(scores, torch.arange(6)))


def test_gradients_are_right_with_masked_entries():
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    own, same_text = caption_positives(IMAGE_IDS, CAPTION_IMAGE_IDS, CAPTION_KEYS)
    assert torch.autograd.gradcheck(lambda s: info_nce(s, own, same_text), (scores,))
    no_positive = info_nce(scores, torch.zeros_like(own), torch.zeros_like(own))
    no_positive.backward()
    assert no_positive.item() == 0 and scores.grad.abs().sum() == 0


@pytest.mark.parametrize('identical', ['positive', 'ignore', 'negative'])
def test_contrastive_loss_equals_the_naive_loops_both_ways(identical):
    image, text, *ids = a_batch(seed=2)
    own, same_text = caption_positives(IMAGE_IDS, CAPTION_IMAGE_IDS, CAPTION_KEYS)
    positives = own | same_text if identical == 'positive' else own
    ignored = same_text if identical == 'ignore' else torch.zeros_like(own)
    scores = image.double() @ text.double().T / 0.1
    want = (naive_info_nce(scores, positives, ignored) + naive_info_nce(scores.T, positives.T, ignored.T)) / 2
    loss = ContrastiveLoss(temperature=0.1, identical_captions=identical)
    assert loss(image, text, *ids).item() == pytest.approx(want, rel=1e-5)


def test_temperature_is_bounded():
    loss = ContrastiveLoss(temperature=0.07, max_scale=100)
    loss.log_scale.data.fill_(50.0)
    bounded = loss(*a_batch())
    loss.log_scale.data.fill_(math.log(100))
    assert bounded.item() == pytest.approx(loss(*a_batch()).item(), rel=1e-5)


@pytest.mark.parametrize('start', [0.01, 0.07])
def test_temperature_is_trained_at_its_bound_too(start):
    loss = ContrastiveLoss(temperature=start, max_scale=100)
    loss(*a_batch()).backward()
    assert loss.log_scale.grad.abs() > 1e-3
    loss.log_scale.data.fill_(7.0)
    loss.zero_grad()
    loss(*a_batch()).backward()
    assert loss.log_scale.grad.abs() > 1e-3 and loss.log_scale.item() == pytest.approx(math.log(100))


def test_mixed_precision_does_not_blur_the_logits():
    batch = a_batch()
    loss = ContrastiveLoss(temperature=0.01)
    exact = loss(*batch).item()
    priors, named = torch.full((3, 4), 0.25), torch.ones(3, dtype=torch.bool)
    exact_clusters = prior_clustering(batch[0], batch[1], priors, named, 0.01).item()
    with torch.autocast('cpu', torch.bfloat16):
        assert loss(*batch).item() == pytest.approx(exact, rel=1e-6)
        clusters = prior_clustering(batch[0], batch[1], priors, named, 0.01).item()
        assert clusters == pytest.approx(exact_clusters, rel=1e-6)


@pytest.mark.parametrize('options', [dict(temperature=0.0), dict(temperature=0.001), dict(identical_captions='maybe')])
def test_contrastive_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        ContrastiveLoss(**options)


def test_object_priors_by_hand():
    """Counts (1, .5, 0) with frequencies (.25, 1, .5): tempering 0 -> (2/3, 1/3); 1/2 -> 2 : .5 -> (.8, .2); 1 -> 4 :
    .5.
    """
    counts = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    frequency = torch.tensor([0.25, 1.0, 0.5])
    for tempering, want in ((0.0, [2 / 3, 1 / 3, 0]), (0.5, [0.8, 0.2, 0]), (1.0, [8 / 9, 1 / 9, 0])):
        priors, named = object_priors(counts, frequency, tempering)
        assert priors[0].tolist() == pytest.approx(want) and priors[1].tolist() == [0, 0, 0]
        assert named.tolist() == [True, False]


def test_clustering_by_hand():
    """v . prototypes = (0, ln 3) at temperature 1 -> assignment (1/4, 3/4); KL((1/2, 1/2) || it) = ln 2 - ln(3) / 2
    ...
    """
    prototypes = torch.eye(2)
    image = torch.tensor([[0.0, math.log(3)], [5.0, 5.0]])
    priors = torch.tensor([[0.5, 0.5], [0.0, 0.0]])
    loss = prior_clustering(image, prototypes, priors, torch.tensor([True, False]), temperature=1.0)
    assert loss.item() == pytest.approx(0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75))
    same = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    perfect = prior_clustering(image, prototypes, same, torch.tensor([True, True]), 1.0)
    assert perfect.item() == pytest.approx(0.0, abs=1e-6)
    assert prior_clustering(image, prototypes, priors, torch.tensor([False, False]), 1.0).item() == 0


def test_clustering_equals_torch_kl_and_its_gradient_is_right():
    generator = torch.Generator().manual_seed(3)
    image = torch.randn(6, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    prototypes = torch.randn(5, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    priors = torch.rand(6, 5, generator=generator, dtype=torch.float64).softmax(dim=1)
    named = torch.tensor([True, True, False, True, True, True])
    loss = prior_clustering(image, prototypes, priors, named, 0.5)
    want = F.kl_div((image @ prototypes.T / 0.5).log_softmax(1)[named], priors[named], reduction='batchmean')
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    got = torch.autograd.grad(loss, (image, prototypes))
    expected = torch.autograd.grad(want, (image, prototypes))
    for a, b in zip(got, expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
