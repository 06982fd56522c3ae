"""Recall by content: hand-worked, against the slow oracle, and never below the protocol's."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import (
    ImageTextRecall,
    content_ranks_from_embeddings,
    content_ranks_from_scores,
    hit_probability,
    ranks_from_scores,
    recall_at,
    score_matrix,
)
from tests.helpers import recall_oracle as oracle
from tests.helpers.predictions import make_samples


def test_by_hand():
    """Captions a b | a c of images 0 | 1: 'a' of image 1 is a hit for image 0, and image 1 one for 'a' of image 0."""
    keys = [7, -2, 7, 5]
    scores = np.array([[0.1, 0.2, 0.9, 0.3], [0.8, 0.7, 0.6, 0.5]])
    ranks = content_ranks_from_scores(scores, [0, 1], [0, 0, 1, 1], keys)
    assert ranks.i2t.above.tolist() == [0, 0]  # image 0: caption 2 says 'a'; image 1: caption 0 says 'a'
    assert ranks.t2i.above.tolist() == [0, 1, 0, 0]  # captions 0 and 2: both images; 1: image 1 is above; 3: own first
    assert [recall_at(ranks.i2t, 1), recall_at(ranks.t2i, 1)] == [100, 75]
    plain = ranks_from_scores(scores, [0, 1], [0, 0, 1, 1])
    assert [recall_at(plain.i2t, 1), recall_at(plain.t2i, 1)] == [0, 25]


def test_ties_by_hand():
    """Image 0 ties with 4 captions, of which its own and a copy of it are hits: C(2, 1) / C(4, 1) miss at 1."""
    ranks = content_ranks_from_scores(np.zeros((3, 4)), [0, 1, 2], [0, 1, 2, 2], [1, 1, 2, 3])
    assert ranks.i2t.tied.tolist() == [4, 4, 4] and ranks.i2t.pos.tolist() == [2, 2, 2]
    assert ranks.t2i.tied.tolist() == [3, 3, 3, 3] and ranks.t2i.pos.tolist() == [2, 2, 1, 1]
    assert hit_probability(ranks.i2t, 1).tolist() == [0.5, 0.5, 0.5]
    assert hit_probability(ranks.t2i, 1).tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3], abs=1e-15)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('chunk_size', [2, 2048])
def test_against_the_oracle(seed, chunk_size):
    generator = np.random.default_rng(seed)
    owner = np.concatenate([np.arange(4), generator.integers(0, 4, 3)])
    keys = generator.integers(0, 4, 7) - 2
    scores = generator.integers(0, 3, (4, 7)).astype(np.float32)
    ranks = content_ranks_from_scores(scores, range(4), owner, keys, chunk_size=chunk_size)
    relevant = [[any(keys[j] == keys[m] for j in range(7) if owner[j] == n) for m in range(7)] for n in range(4)]
    queries = {
        'i2t': [(list(scores[n]), {m for m in range(7) if relevant[n][m]}) for n in range(4)],
        't2i': [(list(scores[:, m]), {n for n in range(4) if relevant[n][m]}) for m in range(7)],
    }
    for way, cases in queries.items():
        for ties in ('expected', 'optimistic', 'pessimistic'):
            for k in (1, 2, 5):
                exact = float(oracle.recall(cases, k, ties))
                assert recall_at(getattr(ranks, way), k, ties) == pytest.approx(exact, abs=1e-12)


def test_embeddings_and_scores_agree():
    samples = make_samples()
    images = torch.stack([s['image_embed'] for s in samples])
    texts = torch.cat([s['text_embed'] for s in samples])
    owner = [s['image_id'] for s in samples for _ in s['caption_ids']]
    keys = np.arange(len(owner)) % 7
    ids = [s['image_id'] for s in samples]
    one = content_ranks_from_embeddings(images, texts, ids, owner, keys, chunk_size=3)
    two = content_ranks_from_scores(score_matrix(images, texts), ids, owner, keys)
    for a, b in zip((*one.i2t, *one.t2i), (*two.i2t, *two.t2i)):
        assert torch.equal(a, b)
    unique = content_ranks_from_embeddings(images, texts, ids, owner, np.arange(len(owner)))
    plain = ranks_from_scores(score_matrix(images, texts), ids, owner)
    for a, b in zip((*unique.i2t, *unique.t2i), (*plain.i2t, *plain.t2i)):
        assert torch.equal(a, b)  # no text twice: the protocol's numbers


def with_keys(samples):
    """Equal embeddings are equal texts."""
    texts = np.concatenate([s['text_embed'] for s in samples])
    keys = np.unique(texts, axis=0, return_inverse=True)[1].reshape(-1)
    cuts = np.cumsum([len(s['caption_ids']) for s in samples])[:-1]
    return [dict(s, caption_keys=part) for s, part in zip(samples, np.split(keys, cuts))]


def evaluate(samples, **options):
    metric = ImageTextRecall(**options)
    metric.process(None, samples)
    return metric.evaluate(len(samples)), metric


def test_metric_and_files(tmp_path):
    samples = with_keys(make_samples())
    plain, metric = evaluate(samples)
    assert metric.report is None
    out, queries = str(tmp_path / 'out.json'), str(tmp_path / 'queries.npz')
    logged, metric = evaluate(samples, out_file=out, queries_file=queries)
    assert logged == plain  # off in logs, there in the file
    report = json.loads((tmp_path / 'out.json').read_text())
    assert report == metric.report
    content, _ = evaluate(samples, content_positives=True)
    assert {k: v for k, v in content.items() if 'content' not in k} == plain
    for name, value in report['content_metrics']['expected'].items():
        assert content[f'retrieval/{name}'] == value
    for way in ('i2t', 't2i'):
        for k in (1, 5, 10):
            assert content[f'retrieval/content_{way}_R@{k}'] >= plain[f'retrieval/{way}_R@{k}'] - 1e-9
    assert content['retrieval/content_Rsum'] > plain['retrieval/Rsum'] + 1
    arrays = np.load(queries)
    for way in ('i2t', 't2i'):
        hits = arrays[f'{way}_hits']
        assert hits.dtype == np.float32
        for i, k in enumerate(arrays['topk']):
            recall = 100 * hits[:, i].astype(np.float64).mean()
            assert recall == pytest.approx(plain[f'retrieval/{way}_R@{k}'], abs=1e-5)
    assert (np.diff(arrays['image_ids']) > 0).all() and (np.diff(arrays['caption_ids']) > 0).all()
    assert str(arrays['ties']) == 'expected'


def test_texts_without_keys(tmp_path):
    found, metric = evaluate(make_samples(), out_file=str(tmp_path / 'out.json'))
    assert metric.report['content_metrics'] is None and not [k for k in found if 'content' in k]
    with pytest.raises(ConfigError, match='content_positives=True needs caption_keys'):
        evaluate(make_samples(), content_positives=True)
    with pytest.raises(ConfigError, match='content_positives'):
        ImageTextRecall(content_positives='yes')
    with pytest.raises(MetricError, match=r'caption_keys \(1,\) for'):
        evaluate([dict(s, caption_keys=np.zeros(1)) for s in make_samples()[1:]])
    with pytest.raises(MetricError, match='caption_keys'):
        content_ranks_from_scores(np.zeros((1, 2)), [0], [0, 0], [1])
