"""CAMP's similarity and its loss against pair-by-pair oracles."""

import math

import pytest
import torch

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.camp import CrossModalMessagePassing
from osdpm_plugin.models.losses.matching_bce import MatchingBCELoss
from osdpm_plugin.structures import NeckOutput, as_text_features
from tests.helpers.comparison_models import regions_and_words

WIDTH = 6
GRAINS = pytest.mark.parametrize('grain', ['global', 'local'])


def a_similarity(grain='local', seed=0, **options):
    torch.manual_seed(seed)
    similarity = CrossModalMessagePassing(channels=WIDTH, grain=grain, heads=3, **options).double()
    with torch.no_grad():
        for parameter in similarity.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))  # biases too
    return similarity


def naive_summary(summary, vectors):
    first, _, second = summary.weigh
    weights = second(first(vectors).relu()).softmax(dim=0)  # (N, heads)
    return torch.stack([sum(w * v for w, v in zip(head, vectors)) for head in weights.T]).mean(dim=0)


def naive_message(fusion, own, message):
    gate = torch.sigmoid(sum(o * m for o, m in zip(own, message)))
    weight = torch.cat([fusion.own.weight, fusion.message.weight], dim=1)
    return (weight @ (gate * torch.cat([own, message])) + fusion.own.bias).relu() + own


def naive_pair(similarity, regions, words):
    """Regions (R, D) and words (T, D) -> probability, with every message and concatenation formed."""
    logits = similarity.image_key(regions) @ similarity.text_key(words).T / math.sqrt(WIDTH)
    sides = []
    for own, others, rows, fusion, summary in (
        (regions, words, logits, similarity.image_fusion, similarity.image_summary),
        (words, regions, logits.T, similarity.text_fusion, similarity.text_summary),
    ):
        told = [naive_message(fusion, one, row.softmax(dim=0) @ others) for one, row in zip(own, rows)]
        sides.append(naive_summary(summary, torch.stack(told)))
    both = torch.cat(sides)
    return torch.sigmoid(similarity.output(similarity.hidden[0](both).relu()))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('regions', [1, 4])
def test_local_scores_equal_the_pairwise_oracle(regions, training):
    images, texts = regions_and_words(regions=regions)
    similarity = a_similarity().train(training)
    want = [[naive_pair(similarity, r, w[m]).item() for w, m in zip(texts.words, texts.mask)] for r in images.regions]
    torch.testing.assert_close(similarity(images, texts), torch.tensor(want, dtype=torch.float64))


@pytest.mark.parametrize('training', [True, False])
def test_global_scores_equal_the_pairwise_oracle(training):
    images, texts = regions_and_words()
    similarity = a_similarity('global').train(training)
    want = [[naive_pair(similarity, i[None], t[None]).item() for t in texts.pooled] for i in images.embedding]
    torch.testing.assert_close(similarity(images, texts), torch.tensor(want, dtype=torch.float64))


def test_one_dimension_by_hand():
    """Image 2, text 3, fusion of each side ReLU(g (x + message) + 1) + x with g = sigmoid(6), output 5 (a - b) - 1/2.

    Image side: 5g + 1 + 2; text side: 5g + 1 + 3; their difference through ReLU(b - a) is 1.
    """
    similarity = CrossModalMessagePassing(channels=1, grain='global', heads=1)
    with torch.no_grad():
        for fusion in (similarity.image_fusion, similarity.text_fusion):
            fusion.own.weight.fill_(1.0), fusion.message.weight.fill_(1.0), fusion.own.bias.fill_(1.0)
        similarity.hidden[0].weight.copy_(torch.tensor([[-1.0, 1.0]]))
        similarity.output.weight.fill_(5.0), similarity.output.bias.fill_(-0.5)
    images, texts = NeckOutput.of(torch.tensor([[2.0]])), as_text_features(torch.tensor([[3.0]]))
    assert similarity(images, texts).item() == pytest.approx(1 / (1 + math.exp(-4.5)), rel=1e-5)
    gate = torch.ones(1, 1, 1, 1), torch.tensor([[[6.0]]])
    fused = similarity.image_fusion(images.embedding[:, None], texts.words, *gate)
    assert fused.item() == pytest.approx(5 / (1 + math.exp(-6)) + 3, rel=1e-6)


@pytest.mark.parametrize('training', [True, False])
def test_padding_changes_nothing(training):
    images, texts = regions_and_words()
    similarity = a_similarity().train(training)
    _, wider = regions_and_words(padded_to=9)
    wider.words[~wider.mask] = float('nan')
    torch.testing.assert_close(similarity(images, wider), similarity(images, texts))


def test_a_caption_without_words_has_a_finite_score_and_gradient():
    images, texts = regions_and_words()
    texts.mask[1] = False
    similarity = a_similarity()
    scores = similarity(images, texts)
    scores.sum().backward()
    assert scores.isfinite().all() and all(p.grad.isfinite().all() for p in similarity.parameters())


@GRAINS
def test_gradients_are_right(grain):
    images, texts = regions_and_words(lengths=(2, 3), regions=2)
    similarity = a_similarity(grain)

    def scores(regions, embedding, words, pooled):
        own = images._replace(regions=regions, embedding=embedding)
        return similarity(own, texts._replace(words=words, pooled=pooled))

    inputs = [t.clone().requires_grad_() for t in (images.regions, images.embedding, texts.words, texts.pooled)]
    assert torch.autograd.gradcheck(scores, inputs)


def test_every_parameter_gets_a_gradient():
    images, texts = regions_and_words(lengths=(3, 2, 5))
    similarity = a_similarity()
    similarity(images, texts).pow(2).sum().backward()
    assert [n for n, p in similarity.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_attention_over_one_thing_has_nothing_to_learn():
    images, texts = regions_and_words()
    similarity = a_similarity('global')
    similarity(images, texts).pow(2).sum().backward()
    still = {n for n, p in similarity.named_parameters() if p.grad.abs().max() < 1e-12}
    weighing = {n for n, _ in similarity.named_parameters() if n.split('.')[0].endswith(('_key', '_summary'))}
    assert still == weighing


@GRAINS
def test_dropout_acts_in_training_alone(grain):
    images, texts = regions_and_words()
    similarity = a_similarity(grain, dropout=0.5)
    assert not torch.equal(similarity(images, texts), similarity(images, texts))
    similarity.eval()
    assert torch.equal(similarity(images, texts), similarity(images, texts))


def test_probabilities_keep_full_precision_under_autocast():
    images, texts = regions_and_words()
    similarity = a_similarity().float()
    images = images._replace(regions=images.regions.float(), embedding=images.embedding.float())
    texts = texts._replace(words=texts.words.float(), pooled=texts.pooled.float())
    exact = similarity(images, texts)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = similarity(images, texts)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, rtol=0.1, atol=0.05)


def test_inputs_that_do_not_fit():
    images, texts = regions_and_words()
    assert not CrossModalMessagePassing.indexable
    with pytest.raises(ConfigError, match='grain must be'):
        CrossModalMessagePassing(channels=4, grain='both')
    with pytest.raises(ConfigError, match="grain='local' needs regions"):
        a_similarity()(images._replace(regions=None), texts)
    with pytest.raises(ConfigError, match='channels=6, but the image side has 6 values and the text side 4'):
        a_similarity('global')(images, texts._replace(pooled=texts.pooled[:, :4]))


def naive_bce(scores, positives, ignored, hardest):
    def log(p):
        return math.log(min(max(p, 1e-6), 1 - 1e-6))

    rows, columns = range(len(scores)), range(len(scores[0]))
    positive = {(i, j) for i in rows for j in columns if positives[i][j] and not ignored[i][j]}
    negative = {(i, j) for i in rows for j in columns if not positives[i][j] and not ignored[i][j]}
    if not hardest:
        matched = [-log(scores[i][j]) for i, j in positive]
        mismatched = [-log(1 - scores[i][j]) for i, j in negative]
        return sum(matched) / max(len(matched), 1) + sum(mismatched) / max(len(positive | negative), 1)
    total = 0.0
    for lines, axis in ((rows, 0), (columns, 1)):
        for line in lines:
            mine = [-log(scores[i][j]) for i, j in positive if (i, j)[axis] == line]
            others = [-log(1 - scores[i][j]) for i, j in negative if (i, j)[axis] == line]
            if mine:
                total += sum(mine) / len(mine) + max(others, default=0.0)
    return total


@pytest.mark.parametrize('hardest', [True, False])
@pytest.mark.parametrize('seed', range(4))
def test_bce_equals_the_naive_loops(hardest, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(5, 7, generator=generator, dtype=torch.float64)
    scores[0, 0], scores[1, 1] = 0.0, 1.0
    positives = torch.rand(5, 7, generator=generator) < 0.3
    positives[2] = False
    positives[:, 3] = False
    ignored = torch.rand(5, 7, generator=generator) < 0.2
    ignored[4] = ~positives[4]
    got = MatchingBCELoss(hardest=hardest)(scores, positives, ignored)
    assert got.item() == pytest.approx(naive_bce(scores.tolist(), positives.tolist(), ignored.tolist(), hardest))


def test_bce_by_hand():
    """Diagonal 1/2 and 1/4, off it 1/2 and 3/4: positives ln 2 + ln 4, negatives ln 2 and ln 4.

    Hardest: each row and each column has one negative, so everything counts twice: 2 (ln 2 + ln 4 + ln 2 + ln 4).
    """
    scores = torch.tensor([[0.5, 0.5], [0.75, 0.25]])
    positives, nothing = torch.eye(2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)
    assert MatchingBCELoss()(scores, positives, nothing).item() == pytest.approx(12 * math.log(2))
    mean = MatchingBCELoss(hardest=False)(scores, positives, nothing).item()
    assert mean == pytest.approx(3 * math.log(2) / 2 + 3 * math.log(2) / 4)


@pytest.mark.parametrize('hardest', [True, False])
def test_bce_gradients_are_right_and_nothing_to_match_costs_nothing(hardest):
    generator = torch.Generator().manual_seed(5)
    scores = torch.rand(4, 5, generator=generator, dtype=torch.float64).mul(0.8).add(0.1).requires_grad_()
    positives = torch.rand(4, 5, generator=generator) < 0.3
    ignored = torch.rand(4, 5, generator=generator) < 0.2
    loss = MatchingBCELoss(hardest=hardest)
    assert torch.autograd.gradcheck(lambda s: loss(s, positives, ignored), (scores,))
    everything = torch.ones_like(positives)
    nothing = loss(scores, positives, everything)
    nothing.backward()
    assert nothing.item() == 0 and scores.grad.abs().sum() == 0


def test_bce_arguments_out_of_range():
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    with pytest.raises(ConfigError, match='eps'):
        MatchingBCELoss(eps=0.5)
    with pytest.raises(ConfigError, match='between 0 and 1, got -0.5 to 0.5'):
        MatchingBCELoss()(torch.tensor([[0.5, -0.5], [0.1, 0.2]]), nothing, nothing)


@pytest.mark.parametrize('hardest', [True, False])
def test_bce_of_half_precision_scores_is_finite(hardest):
    scores = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.bfloat16)
    positives, nothing = torch.eye(2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)
    got = MatchingBCELoss(hardest=hardest)(scores, positives, nothing)
    want = naive_bce(scores.tolist(), positives.tolist(), nothing.tolist(), hardest)
    assert got.dtype == torch.float32 and got.item() == pytest.approx(want, rel=1e-2)
