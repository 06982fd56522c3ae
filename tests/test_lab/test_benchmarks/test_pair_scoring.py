"""The loops that scoring is measured against give the same scores."""

from types import SimpleNamespace

import pytest
import torch

from osdpm_plugin.lab.benchmarks.pair_scoring import compare_scoring, fast_scores, naive_scores, runs_towers_again
from osdpm_plugin.registry import MODELS
from tests.helpers.word_features import batch, build


def inputs():
    data = batch(range(5), captions_each=2)
    tokens = torch.cat([torch.from_numpy(s.tokens) for s in data['data_samples']])
    return build().eval().data_preprocessor(data)['inputs'], tokens


@pytest.mark.parametrize('towers_again', [False, True])
def test_both_ways_agree(towers_again):
    model, (images, tokens) = build().eval(), inputs()
    want = model.score(model.embed_images(images), model.embed_texts(tokens))
    for shard in (1, 3, 100):
        found = naive_scores(model, images, tokens, shard, towers_again=towers_again)
        torch.testing.assert_close(found, want.detach(), rtol=0, atol=1e-5)
    fast, seconds = fast_scores(model, images, tokens, 4)
    torch.testing.assert_close(fast, want.detach(), rtol=0, atol=1e-5)
    assert seconds > 0


@pytest.mark.parametrize('towers_again, calls', [(False, 2), (True, 2 * 4)])
def test_towers_run_once_or_for_each_pair_of_shards(towers_again, calls):
    """5 images in 2 shards of 3, 10 captions in 4."""
    model, (images, tokens) = build().eval(), inputs()
    seen = []
    model.image_tower.register_forward_pre_hook(lambda *_: seen.append(1))
    naive_scores(model, images, tokens, 3, towers_again=towers_again)
    assert len(seen) == calls


def test_which_loop_a_method_has():
    kinds = {name: MODELS.get(name) for name in MODELS.module_dict}
    again = {
        name: runs_towers_again(SimpleNamespace(similarity=kind.__new__(kind)))
        for name, kind in kinds.items()
        if hasattr(kind, 'indexable') and kind.__module__.startswith('osdpm_plugin.')
    }
    assert again == dict(
        CrossModalMessagePassing=False,
        DotProduct=True,
        StackedCrossAttention=False,
        TensorFusion=True,
        VisualGuidedSimilarity=True,
    )


def test_row():
    model, (images, tokens) = build(), inputs()
    row = compare_scoring(model, images, tokens, repeats=2, shard=3)
    assert row['what'] == 'scores of 5 x 10, BestRegionOfWords' and len(row['seconds']['ours']) == 2
    assert row['towers_again'] is True and row['greatest_difference'] < 1e-5 and row['goal'] is None
    assert 0 < row['features_s'] < max(row['seconds']['ours'])
