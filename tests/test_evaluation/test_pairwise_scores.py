"""Scores of pairs: the same bits for any chunk, equal captions tied, and the metric on top of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dist import get_rank
from mmengine.evaluator import Evaluator

from osdpm_plugin.engine import PairwiseScoringHook
from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import ImageTextRecall, PairScorer, ranks_from_scores, score_pairs, summarise
from osdpm_plugin.evaluation import pairwise_scores as module
from osdpm_plugin.evaluation.embedded_split import EmbeddingCollector
from osdpm_plugin.evaluation.gallery_scores import GalleryScores
from osdpm_plugin.evaluation.pairwise_scores import check_tile
from osdpm_plugin.evaluation.records import gallery_of, merge_records, record_of
from tests.helpers import tiny_models as tiny
from tests.helpers import word_features as words
from tests.helpers.distributed import run_distributed

CPU = torch.device('cpu')
WIDTH, REGIONS = 6, 3


def best_regions(images, texts):
    """Mean over words of the greatest dot product with a region, plus the embeddings' product: not a dot product."""
    best = torch.einsum('brd,mtd->bmrt', images.regions, texts.words).amax(dim=2)
    mean = (best * texts.mask).sum(dim=2) / texts.mask.sum(dim=1).clamp(min=1)
    return mean + images.embedding @ texts.pooled.mT


def naive(images, regions, texts, text_words):
    """A double loop over pairs, in float64."""
    scores = np.zeros((len(images), len(texts)))
    for n, image in enumerate(images.astype(np.float64)):
        for m, text in enumerate(texts.astype(np.float64)):
            best = [max(float(r @ w) for r in regions[n].astype(np.float64)) for w in text_words[m].astype(np.float64)]
            scores[n, m] = image @ text + (sum(best) / len(best) if best else 0.0)
    return scores


def features(images=11, captions=23, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, captions)
    lengths[3] = 0  # a caption without words

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    return draw(images, WIDTH), draw(images, REGIONS, WIDTH), draw(captions, WIDTH), [draw(n, WIDTH) for n in lengths]


def scored(tile, chunk_size, arrays=None, similarity=best_regions):
    return score_pairs(PairScorer(similarity, CPU, tile), *(arrays or features()), chunk_size=chunk_size)


@pytest.mark.parametrize('tile', [(1, 1), (4, 5), (11, 23), (32, 64)])
def test_equals_the_naive_loops(tile):
    got = scored(tile, 8)
    assert got.dtype == torch.float32 and got.shape == (11, 23)
    np.testing.assert_allclose(got.numpy(), naive(*features()), rtol=0, atol=2e-6)


@pytest.mark.parametrize('tile', [(4, 5), (3, 64)])
def test_every_chunk_size_gives_the_same_bits(tile):
    want = scored(tile, 1)
    for chunk_size in (2, 3, 4, 7, 11, 1000):
        assert torch.equal(scored(tile, chunk_size), want)


def test_every_call_has_the_shape_of_the_tile():
    shapes = set()

    def spy(images, texts):
        shapes.add((tuple(images.embedding.shape), tuple(images.regions.shape), tuple(texts.words.shape)))
        assert texts.mask.shape == texts.words.shape[:2] and texts.pooled.shape == (5, WIDTH)
        assert not texts.words[~texts.mask].any() and texts.mask.dtype == torch.bool
        return best_regions(images, texts)

    scored((4, 5), 6, similarity=spy)
    lengths = sorted(len(w) for w in features()[3])
    longest = {max(lengths[start : start + 5]) for start in range(0, len(lengths), 5)}  # of each tile
    assert len(longest) > 1
    assert shapes == {((4, WIDTH), (4, REGIONS, WIDTH), (5, words, WIDTH)) for words in longest}


def test_no_regions_and_one_word():
    images, _, texts, _ = features()
    arrays = (images, None, texts, [t[None] for t in texts])
    got = scored((4, 5), 8, arrays, lambda i, t: i.embedding @ t.words[:, 0].mT)
    np.testing.assert_allclose(got.numpy(), images.astype(np.float64) @ texts.T.astype(np.float64), rtol=0, atol=2e-6)


def test_a_similarity_of_the_wrong_shape_is_an_error():
    with pytest.raises(MetricError, match=r'returned \(5, 4\) scores for 4 images and 5 captions'):
        scored((4, 5), 8, similarity=lambda i, t: best_regions(i, t).mT)


def test_a_bar_for_those_who_wait(monkeypatch, capsys):
    scored((4, 5), 8)
    assert capsys.readouterr().err == ''
    monkeypatch.setattr(module, '_SILENT_SECONDS', 0.0)
    scored((4, 5), 8)
    err = capsys.readouterr().err
    assert 'scoring pairs' in err and '15/15' in err


def make_samples(images=9, seed=1):
    """Data samples with ragged captions; captions with the token 77 are one text, with features that round apart."""
    rng = np.random.default_rng(seed)
    shared, shared_words = rng.standard_normal(WIDTH), rng.standard_normal((4, WIDTH))
    samples, caption = [], 300
    for n in range(images):
        count = 1 + n % 4
        tokens = rng.integers(100, 999, (count, 5))
        texts = rng.standard_normal((count, WIDTH))
        text_words = [rng.standard_normal((1 + i, WIDTH)) for i in range(count)]
        if n % 2:
            tokens[0] = 77
            texts[0] = shared * (1 + 1e-6 * n)
            text_words[0] = shared_words * (1 + 1e-6 * n)
        samples.append(
            dict(
                image_id=(4 * n) % images + 50,
                caption_ids=np.arange(caption, caption + count),
                image_embed=torch.from_numpy(rng.standard_normal(WIDTH)).float(),
                text_embed=torch.from_numpy(texts).float(),
                tokens=tokens,
                caption_keys=tokens[:, 0],
                image_regions=torch.from_numpy(rng.standard_normal((REGIONS, WIDTH))).float(),
                text_words=[torch.from_numpy(w).float() for w in text_words],
            )
        )
        caption += count
    return samples


def gallery(samples):
    return gallery_of(merge_records([record_of(s) for s in samples], len(samples), 1e-2), 1e-2)


def metric_of(samples, tile=(4, 5), similarity=best_regions, **options):
    metric = ImageTextRecall(**options)
    metric.scorer = PairScorer(similarity, CPU, tile)
    metric.process(None, samples)
    return metric


def test_equal_captions_are_scored_once_and_tie():
    calls = []

    def spy(images, texts):
        calls.append(len(texts.pooled))
        return best_regions(images, texts)

    shown = gallery(make_samples())
    scores = GalleryScores(shown, PairScorer(spy, CPU, (9, 1)), 64)
    same = np.flatnonzero(shown.caption_keys == 77)
    assert len(same) == 4 and (shown.text_groups[same] == same[0]).all()
    matrix = scores.matrix()
    assert (matrix[:, same] == matrix[:, same[:1]]).all(), 'to the bit, wherever they stand'
    assert len(calls) == len(shown.caption_ids) - 3
    want = naive(shown.image_embed, shown.image_regions, shown.text_embed, shown.text_words)
    np.testing.assert_allclose(matrix, want, rtol=0, atol=1e-4)
    scores.ranks()
    assert len(calls) == len(shown.caption_ids) - 3, 'once for the numbers and the files'


def test_metric_ranks_the_scores_of_pairs(tmp_path):
    samples = make_samples()
    shown = gallery(samples)
    matrix = GalleryScores(shown, PairScorer(best_regions, CPU, (4, 5)), 64).matrix()
    want = summarise(ranks_from_scores(matrix, shown.image_ids, shown.caption_image_ids), (1, 5, 10))['expected']
    files = dict(out_file=str(tmp_path / 'out.json'), scores_file=str(tmp_path / 'scores.npz'))
    metric = metric_of(samples, content_positives=True, rerank=dict(method='dual_softmax'), chunk_size=3, **files)
    got = metric.evaluate(len(samples))
    assert {name: got[f'retrieval/{name}'] for name in want} == want
    assert got['retrieval/content_Rsum'] >= got['retrieval/Rsum'] and 'retrieval/transductive_dual_softmax_mR' in got
    stored = np.load(files['scores_file'])
    np.testing.assert_array_equal(stored['scores'], matrix)
    assert json.loads((tmp_path / 'out.json').read_text())['metrics']['expected'] == want


@pytest.mark.parametrize('chunk_size', [1, 4, 7, 1000])
def test_metric_does_not_depend_on_chunks_or_order(chunk_size):
    samples = make_samples()
    want = metric_of(samples).evaluate(len(samples))
    assert metric_of(samples[::-1] + samples[:2], chunk_size=chunk_size).evaluate(len(samples)) == want


def evaluate_share(folder):
    samples = make_samples()
    metric = metric_of(samples[get_rank() :: 2] if folder else samples, collect_dir=folder)
    return metric.evaluate(len(samples))


def test_two_processes_give_the_numbers_of_one(tmp_path):
    samples = make_samples()
    want = metric_of(samples).evaluate(len(samples))
    assert run_distributed(evaluate_share, 2, str(tmp_path / 'collect')) == [want, want]


def test_pairs_are_never_ranked_by_their_embeddings():
    metric = ImageTextRecall()
    metric.process(None, make_samples())
    with pytest.raises(MetricError, match=r"did not reach the metric; add dict\(type='PairwiseScoringHook'\)"):
        metric.evaluate(9)


def test_embeddings_of_such_a_model_are_not_handed_out():
    collector = EmbeddingCollector(1e-2)
    collector.process(None, [dict(s, img_path='a.jpg', captions=['a'] * len(s['caption_ids'])) for s in make_samples()])
    with pytest.raises(ConfigError, match='similarity of this model scores pairs, which dot products of embeddings'):
        collector.evaluate(9)


def test_incomplete_predictions_are_errors():
    samples = make_samples()
    for change, message in (
        (lambda s: s.update(text_words=None), r'9 of 9 images came with regions and \d+ of 21 captions with words'),
        (lambda s: s.update(image_regions=None), '8 of 9 images came with regions'),
        (lambda s: s.update(image_regions=torch.zeros(2, WIDTH)), r'regions of different shapes arrived: \[\(2, 6\)'),
        (lambda s: s.update(text_words=s['text_words'][1:]), 'text_words of 2 captions for 3'),
        (lambda s: s.update(image_regions=torch.full((REGIONS, WIDTH), torch.nan)), 'scores are NaN or infinite'),
    ):
        broken = [dict(s) for s in samples]
        change(broken[2])
        with pytest.raises(MetricError, match=message):
            metric_of(broken).evaluate(9)


def loop(metric):
    return SimpleNamespace(evaluator=Evaluator([metric]))


@pytest.mark.parametrize('pairs', [False, True])
def test_hook_brings_the_similarity_of_pairs_alone(pairs):
    model = words.build().eval() if pairs else tiny.build().eval()
    val, test = ImageTextRecall(), ImageTextRecall()
    runner = SimpleNamespace(model=model, val_loop=loop(val), test_loop=loop(test))
    hook = PairwiseScoringHook(tile=(2, 3))
    hook.before_val(runner)
    assert test.scorer is None
    hook.before_test(runner)
    want = PairScorer(model.similarity, CPU, (2, 3)) if pairs else None
    assert val.scorer == want and test.scorer == want
    data = (words if pairs else tiny).batch(range(6), captions_each=2)
    with torch.no_grad():
        predictions = model(**model.data_preprocessor(data), mode='predict')
    test.process(None, [p.to_dict() for p in predictions])
    assert 0 <= test.evaluate(6)['retrieval/mR'] <= 100


def test_a_model_scores_pairs_as_in_training():
    model = words.build().eval()
    data = words.batch(range(6), captions_each=2)
    with torch.no_grad():
        processed = model.data_preprocessor(data)
        tokens = torch.cat([torch.from_numpy(s.tokens) for s in data['data_samples']])
        want = model.score(model.embed_images(processed['inputs']), model.embed_texts(tokens))
        shown = gallery([p.to_dict() for p in model(**processed, mode='predict')])
    order = np.argsort([i for s in data['data_samples'] for i in s.caption_ids])
    got = GalleryScores(shown, PairScorer(model.similarity, CPU, (4, 5)), 64).matrix()
    np.testing.assert_allclose(got, want.numpy()[:, order], rtol=0, atol=1e-6)


@pytest.mark.parametrize('tile', [(0, 1), (1,), (1.5, 2), (True, 2)])
def test_tile_errors(tile):
    with pytest.raises(ConfigError, match='must be the images and captions scored in one call'):
        PairwiseScoringHook(tile=tile)
    assert check_tile([3, 4]) == (3, 4)
