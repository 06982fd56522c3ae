"""The loops that scoring is measured against give the same scores."""

import torch

from osdpm_plugin.benchmarks.pair_scoring import Timing, compare_scoring, fast_scores, naive_scores
from tests.test_models.words import batch, build


def inputs():
    data = batch(range(5), captions_each=2)
    tokens = torch.cat([torch.from_numpy(s.tokens) for s in data['data_samples']])
    return build().eval().data_preprocessor(data)['inputs'], tokens


def test_both_ways_agree():
    model, (images, tokens) = build().eval(), inputs()
    want = model.score(model.perceive(images), model.read(tokens))
    for shard in (1, 3, 100):
        torch.testing.assert_close(naive_scores(model, images, tokens, shard), want.detach(), rtol=0, atol=1e-5)
    fast, seconds = fast_scores(model, images, tokens, 4)
    torch.testing.assert_close(fast, want.detach(), rtol=0, atol=1e-5)
    timing = compare_scoring(model, images, tokens, shard=3)
    assert seconds > 0 and min(timing[:3]) > 0 and timing.greatest_difference < 1e-5


def test_ratio_by_hand():
    assert Timing(features_s=1.0, scores_s=3.0, naive_s=40.0, greatest_difference=0.0).ratio == 10.0
