"""MTFN's similarity against a loop over ranks and pairs."""

import math

import pytest
import torch

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.models.comparison.mtfn import TensorFusion
from osdpm_plugin.structures import NeckOutput, as_text_features

WIDTH = 5


def a_batch(images=3, captions=4, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(images, WIDTH, generator=generator, dtype=dtype)
    pooled = torch.randn(captions, WIDTH, generator=generator, dtype=dtype)
    return NeckOutput.of(image), as_text_features(pooled)


def a_similarity(seed=0, **options):
    torch.manual_seed(seed)
    return TensorFusion(**dict(dict(channels=WIDTH, rank=3, fused_channels=7), **options)).double()


def naive_scores(similarity, images, texts):
    rank, width = similarity.rank, similarity.output.in_features
    scores = torch.zeros(len(images.embedding), len(texts.pooled), dtype=torch.float64)
    for b, image in enumerate(images.embedding):
        for m, text in enumerate(texts.pooled):
            fused = torch.zeros(width, dtype=torch.float64)
            for r in range(rank):
                rows = slice(r * width, (r + 1) * width)
                left = similarity.image_factors.weight[rows] @ image + similarity.image_factors.bias[rows]
                right = similarity.text_factors.weight[rows] @ text + similarity.text_factors.bias[rows]
                fused += left * right
            scores[b, m] = torch.sigmoid(similarity.output.weight[0] @ fused + similarity.output.bias[0])
    return scores


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('rank', [1, 3])
def test_scores_equal_the_naive_loops(seed, rank):
    images, texts = a_batch(seed=seed)
    similarity = a_similarity(seed, rank=rank).eval()
    with torch.no_grad():
        want = naive_scores(similarity, images, texts)
    torch.testing.assert_close(similarity(images, texts), want)


def test_both_ways_to_score_are_one_function():
    images, texts = a_batch()
    similarity = a_similarity(dropout=1e-12)
    fused = similarity(images, texts)
    torch.testing.assert_close(fused, similarity.eval()(images, texts))
    in_training = a_similarity(dropout=0.0)
    torch.testing.assert_close(in_training(images, texts), fused)


def test_rank_two_by_hand():
    """Image (1, 2), text (3,) ... V_1 v = 1, V_2 v = 2 + 1, U_1 t = 3, U_2 t = -3: 3 - 9 = -6, times -1/2 plus 1: 4."""
    similarity = TensorFusion(channels=2, rank=2, fused_channels=1)
    with torch.no_grad():
        similarity.image_factors.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        similarity.image_factors.bias.copy_(torch.tensor([0.0, 1.0]))
        similarity.text_factors.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        similarity.text_factors.bias.zero_()
        similarity.output.weight.fill_(-0.5), similarity.output.bias.fill_(1.0)
    texts = as_text_features(torch.tensor([[3.0, 7.0]]))
    got = similarity.eval()(NeckOutput.of(torch.tensor([[1.0, 2.0]])), texts)
    assert got.item() == pytest.approx(1 / (1 + math.exp(-4)), rel=1e-6)


@pytest.mark.parametrize('training', [True, False])
def test_gradients_are_right_and_reach_every_parameter(training):
    images, texts = a_batch()
    similarity = a_similarity(dropout=1e-12).train(training)

    def scores(embedding, pooled):
        return similarity(NeckOutput.of(embedding), texts._replace(pooled=pooled))

    inputs = images.embedding.clone().requires_grad_(), texts.pooled.clone().requires_grad_()
    assert torch.autograd.gradcheck(scores, inputs)
    scores(*inputs).pow(2).sum().backward()
    assert [n for n, p in similarity.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_dropout_draws_for_each_pair_and_keeps_the_mean():
    """Half of F = 2 equal values dropped, the rest doubled: the logit is 0, x or 2x, so that its mean is x."""
    similarity = TensorFusion(channels=1, rank=1, fused_channels=2, dropout=0.5)
    with torch.no_grad():
        for layer in (similarity.image_factors, similarity.text_factors, similarity.output):
            layer.weight.fill_(1.0), layer.bias.zero_()
    torch.manual_seed(0)
    ones = torch.ones(60, 1)
    texts = as_text_features(ones)
    logits = similarity(NeckOutput.of(ones), texts).logit()
    assert sorted({round(x, 3) for x in logits.flatten().tolist()}) == [0.0, 2.0, 4.0]
    assert logits.mean().item() == pytest.approx(2.0, abs=0.1)
    assert torch.equal(similarity.eval()(NeckOutput.of(ones), texts), torch.full((60, 60), 2.0).sigmoid())


@pytest.mark.parametrize('training', [True, False])
def test_probabilities_keep_full_precision_under_autocast(training):
    images, texts = a_batch(dtype=torch.float32)
    similarity = a_similarity(dropout=1e-12).float().train(training)
    exact = similarity(images, texts)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = similarity(images, texts)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize('options', [dict(rank=0), dict(dropout=1.0), dict(dropout=-0.1)])
def test_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        a_similarity(**options)


def test_inputs_that_do_not_fit():
    images, texts = a_batch()
    assert not TensorFusion.indexable
    with pytest.raises(ConfigError, match='channels=5, but the image side has 5 values and the text side 4'):
        a_similarity()(images, texts._replace(pooled=texts.pooled[:, :4]))
