"""The inferencer ranks as the evaluation does: embeddings, pairs, regions of a detector, half precision."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.datasets.images.region_files import RegionRecord, write_regions
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.search import RetrievalInferencer
from tests.helpers.saved_models import save

pytestmark = pytest.mark.stack


def scores_from(found, shape):
    """What was found for all queries -> (queries, candidates), each candidate once."""
    scores = np.full(shape, np.nan, dtype=np.float32)
    for query, matches in enumerate(found):
        assert [m.rank for m in matches] == list(range(1, shape[1] + 1))
        assert all(a.score >= b.score for a, b in zip(matches, matches[1:]))
        for match in matches:
            scores[query, match.item] = match.score
    assert not np.isnan(scores).any()
    return scores


def order_of(found):
    return [[match.item for match in matches] for matches in found]


def naive_order(scores):
    """Sorted in Python: best first, of equal scores the earlier first."""
    return [sorted(range(len(row)), key=lambda c, row=row: (-row[c], c)) for row in scores.tolist()]


def regions_of_a_detector(folder):
    """A change of the config that reads made-up detections, and those."""
    (folder / 'regions').mkdir()
    for i in range(24):
        draw = np.random.default_rng(i)
        corner, count = draw.random((1 + i % 4, 2)).astype(np.float32) * 0.5, 1 + i % 4
        record = RegionRecord(
            boxes=np.concatenate([corner, corner + 0.4], axis=1),
            labels=draw.integers(0, 15, count),
            scores=np.sort(draw.random(count).astype(np.float32))[::-1],
        )
        write_regions(folder / 'regions' / f'scene_{i}.npz', record)

    def change(cfg):
        cfg.model.neck.region_source = 'detected'
        cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='LoadRegions', folder=str(folder / 'regions')))

    return change


def half_precision(cfg):
    cfg.test_cfg.fp16 = True


CASES = {
    'embeddings': ('configs/osdpm_ucm.py', None, 0.0),
    'half precision': ('configs/osdpm_ucm.py', half_precision, 1e-2),
    'word tokens': ('configs/comparison/vsepp_ucm.py', None, 0.0),
    'pairs of regions and words': ('configs/comparison/scan_t2i_ucm.py', None, 0.0),
    'pairs of embeddings': ('configs/comparison/mtfn_ucm.py', None, 0.0),
    'regions of a detector': ('configs/comparison/galr_ucm.py', regions_of_a_detector, 0.0),
}


@pytest.fixture(scope='module', params=CASES)
def case(request, tmp_path_factory):
    """What was saved, an inferencer of it, and how far scores may be from the evaluation's."""
    config, change, tolerance = CASES[request.param]
    folder = tmp_path_factory.mktemp('ranking')
    if change is regions_of_a_detector:
        change = change(folder)
    saved = save(config, folder, change or (lambda cfg: None))
    inferencer = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
    return saved, inferencer, max(tolerance, 2e-6)


def test_both_ways_as_the_evaluation(case):
    saved, inferencer, tolerance = case
    images, texts = saved.scores.shape
    spread = np.ptp(saved.scores, axis=0).mean()
    assert (images, texts) == (6, 30) and spread > 100 * 2e-6, 'scores that tell images apart'
    to_images = inferencer.text_to_image(saved.texts, saved.paths, topk=images, batch_size=4)
    to_texts = inferencer.image_to_text(saved.paths, saved.texts, topk=texts, batch_size=4)
    for found, want in ((to_images, saved.scores.T), (to_texts, saved.scores)):
        got = scores_from(found, want.shape)
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
        assert order_of(found) == naive_order(got)
        if tolerance < 1e-5:
            assert order_of(found) == naive_order(want)
    assert [m.answer for m in to_images[0]] == [saved.paths[m.item] for m in to_images[0]]
    assert [m.answer for m in to_texts[0]] == [saved.texts[m.item] for m in to_texts[0]]


def test_batch_size_does_not_change_the_ranking(case):
    saved, inferencer, _ = case
    want = inferencer.text_to_image(saved.texts, saved.paths, topk=6, batch_size=6)
    for batch_size in (1, 5, 64):
        got = inferencer.text_to_image(saved.texts, saved.paths, topk=6, batch_size=batch_size)
        np.testing.assert_allclose(scores_from(got, (30, 6)), scores_from(want, (30, 6)), rtol=0, atol=1e-2)
        if not inferencer.encoder.half:
            assert order_of(got) == order_of(want)


def test_one_query_alone_is_ranked_as_among_others(case):
    saved, inferencer, _ = case
    gallery = inferencer.index(saved.paths)
    among = inferencer.text_to_image(saved.texts, gallery, topk=3)
    alone = inferencer.text_to_image(saved.texts[7], gallery, topk=3)
    assert len(alone) == 3 and [m.score for m in alone] == pytest.approx([m.score for m in among[7]], abs=1e-2)
    if not inferencer.encoder.half:
        assert [m.item for m in alone] == [m.item for m in among[7]]


def test_image_to_image(case):
    saved, inferencer, _ = case
    if not inferencer.encoder.indexable:
        with pytest.raises(ConfigError, match='scores pairs of image and text, so that it cannot compare two images'):
            inferencer.image_to_image(saved.paths[0], saved.paths)
        return
    found = inferencer.image_to_image(saved.paths, saved.paths, topk=6)
    embedding = inferencer.index(saved.paths).embedding.astype(np.float64)
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    np.testing.assert_allclose(scores_from(found, (6, 6)), unit @ unit.T, atol=1e-6)
    assert [matches[0].item for matches in found] == list(range(6)), 'each is most like itself'
    assert found[0][0].score == pytest.approx(1, abs=1e-6)


def test_half_precision_is_that_of_the_evaluation(tmp_path):
    """Far closer to the evaluation in half precision than full precision is."""
    saved = save('configs/osdpm_ucm.py', tmp_path, half_precision)
    distances = []
    for half in (True, False):
        saved.cfg.test_cfg.fp16 = half
        inferencer = RetrievalInferencer(saved.cfg, saved.checkpoint, device='cpu', show_progress=False)
        found = inferencer.text_to_image(saved.texts, saved.paths, topk=6, batch_size=4)
        distances.append(np.abs(scores_from(found, (30, 6)) - saved.scores.T).mean())
    assert distances[0] < distances[1] / 4
