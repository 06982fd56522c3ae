"""The metric on one process: numbers, ids, files, messages."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import ImageTextRecall, ranks_from_embeddings, ranks_from_scores, summarise
from osdpm_plugin.registry import METRICS
from osdpm_plugin.structures import RetrievalDataSample
from osdpm_plugin.utils.files import write_atomically
from tests.helpers.predictions import expected_metrics, make_samples


def element_of(sample):
    element = RetrievalDataSample(metainfo=dict(img_path='a.png', captions=['b'] * len(sample['caption_ids'])))
    element.set_data(sample)
    return element


def evaluate(samples, size=None, **options):
    metric = ImageTextRecall(**options)
    for start in range(0, len(samples), 3):
        metric.process(None, samples[start : start + 3])
    return metric.evaluate(len(samples) if size is None else size)


@pytest.mark.parametrize('ties', ['expected', 'optimistic', 'pessimistic'])
def test_numbers_and_names(ties):
    samples = make_samples()
    summary = expected_metrics(samples, ranks_from_embeddings)
    found = evaluate(samples, ties=ties)
    others = {f'Rsum_{rule}': values['Rsum'] for rule, values in summary.items() if rule != ties}
    assert found == {f'retrieval/{name}': value for name, value in {**summary[ties], **others}.items()}
    assert summary['optimistic']['Rsum'] > summary['expected']['Rsum'] > summary['pessimistic']['Rsum']
    assert list(found)[:3] == ['retrieval/i2t_R@1', 'retrieval/i2t_R@5', 'retrieval/i2t_R@10']


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(topk=(2, 7), ties='pessimistic', prefix='own'),
        dict(content_positives=True, rerank=dict(method='dual_softmax', temperature=0.05)),
    ],
)
def test_names_are_known_beforehand(options):
    samples = [dict(sample, caption_keys=sample['caption_ids']) for sample in make_samples()]
    assert ImageTextRecall(**options).names() == list(evaluate(samples, **options))


def test_perfect_model():
    eye = torch.eye(4)
    samples = [dict(image_id=n, caption_ids=[n], image_embed=eye[n], text_embed=eye[n : n + 1]) for n in range(4)]
    found = evaluate(samples, topk=(1, 100), prefix='test')
    recalls = {f'test/{way}_R@{k}': 100 for way in ('i2t', 't2i') for k in (1, 100)}
    sums = {f'test/Rsum{rule}': 400 for rule in ('', '_optimistic', '_pessimistic')}
    assert found == {**recalls, **sums, 'test/mR': 100, 'test/i2t_medr': 1, 'test/t2i_medr': 1}


def test_order_repeats_and_chunks_do_not_matter():
    samples = make_samples()
    reference = evaluate(samples)
    shuffled = [samples[n] for n in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 0, 7, 8, 9)]
    assert evaluate(shuffled, size=10, chunk_size=3) == reference
    ids, texts = samples[4]['caption_ids'][::-1].copy(), samples[4]['text_embed'].flip(0)
    swapped = dict(samples[4], caption_ids=ids, text_embed=texts)
    assert evaluate([*samples, swapped], size=10) == reference


def test_evaluator_and_data_samples():
    """Built by name from mmengine's root registry, fed by `RetrievalDataSample`, twice in a row."""
    samples = make_samples()
    elements = [element_of(sample) for sample in samples]
    assert METRICS.get('ImageTextRecall') is ImageTextRecall
    evaluator = Evaluator([dict(type='ImageTextRecall')])
    for _ in range(2):
        evaluator.process(elements, None)
        assert evaluator.evaluate(10) == evaluate(samples)


class Embeddings(Dataset):
    metainfo = dict(dataset_type='synthetic')

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return dict(inputs=torch.zeros(1), data_samples=element_of(make_samples()[index]))


class Passes(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        assert mode == 'predict'
        return data_samples


def test_in_a_runner(tmp_path):
    runner = Runner(
        model=Passes(),
        work_dir=str(tmp_path),
        default_scope='mmengine',
        experiment_name='recall',
        log_level='WARNING',
        val_dataloader=dict(
            dataset=Embeddings(),
            batch_size=3,
            num_workers=0,
            collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False, round_up=True),
        ),
        val_cfg=dict(),
        val_evaluator=dict(type='ImageTextRecall', out_file=str(tmp_path / 'recall.json')),
    )
    assert runner.val() == evaluate(make_samples())
    assert (tmp_path / 'recall.json').exists()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64])
def test_precision(dtype):

    def cast(samples, dtype):
        return [dict(s, image_embed=s['image_embed'].to(dtype), text_embed=s['text_embed'].to(dtype)) for s in samples]

    given = cast(make_samples(), dtype)
    assert evaluate(given) == evaluate(cast(given, torch.float32))


def test_equal_tokens_share_one_embedding():
    """Rounding between equal captions breaks ties; equal tokens restore them, but do not hide what really differs."""
    samples = make_samples()[:9]  # the tenth image repeats the first: another kind of tie
    reference = evaluate(samples)
    unique, inverse = np.unique(np.concatenate([s['text_embed'] for s in samples]), axis=0, return_inverse=True)
    assert len(unique) < len(inverse)
    generator, start, noisy, tokens = torch.Generator().manual_seed(0), 0, [], []
    for sample in samples:
        count = len(sample['caption_ids'])
        noise = 1e-4 * torch.randn(count, 12, generator=generator)
        noisy.append(dict(sample, text_embed=sample['text_embed'] + noise))
        rows = np.stack([[49406, 1 + number, 49407, 0] for number in inverse.reshape(-1)[start : start + count]])
        tokens.append(rows if start % 2 else torch.from_numpy(rows))
        start += count
    assert reference['retrieval/Rsum_optimistic'] > reference['retrieval/Rsum_pessimistic']
    broken = evaluate(noisy)
    assert broken['retrieval/Rsum_optimistic'] == broken['retrieval/Rsum_pessimistic']
    mended = evaluate([dict(sample, tokens=rows) for sample, rows in zip(noisy, tokens)])
    assert mended['retrieval/Rsum_optimistic'] > mended['retrieval/Rsum_pessimistic']
    assert evaluate([dict(sample, tokens=rows) for sample, rows in zip(samples, tokens)]) == reference
    one_text = [dict(sample, tokens=np.ones_like(rows)) for sample, rows in zip(samples, tokens)]
    assert evaluate(one_text) == reference


def test_out_file(tmp_path):
    samples = make_samples()
    path = tmp_path / 'new' / 'folder' / 'recall.json'
    evaluate(samples, ties='pessimistic', out_file=str(path))
    report = json.loads(path.read_text())
    assert report['metrics'] == expected_metrics(samples, ranks_from_embeddings)
    assert (report['images'], report['captions'], report['topk'], report['ties']) == (10, 30, [1, 5, 10], 'pessimistic')
    assert set(report['queries_tied_with_negatives']) == {'i2t', 't2i'}
    assert os.listdir(path.parent) == ['recall.json']


def test_scores_file_gives_the_same_numbers(tmp_path):
    path = tmp_path / 'scores'
    found = evaluate(make_samples()[::-1], scores_file=str(path))
    with np.load(path) as file:
        assert set(file) == {'scores', 'image_ids', 'caption_ids', 'caption_image_ids'}
        assert file['scores'].shape == (10, 30)
        assert file['scores'].dtype == np.float32
        assert file['image_ids'].tolist() == list(range(100, 130, 3))
        assert file['caption_ids'].tolist() == list(range(500, 530))
        summary = summarise(ranks_from_scores(file['scores'], file['image_ids'], file['caption_image_ids']))
    assert {f'retrieval/{name}': value for name, value in summary['expected'].items()}.items() <= found.items()


@pytest.mark.parametrize(('error', 'raised'), [(OSError(28, 'No space left'), ConfigError), (KeyError('x'), KeyError)])
def test_a_failed_write_leaves_the_old_file(tmp_path, error, raised):
    path = tmp_path / 'recall.json'
    path.write_text('old')

    def write(file):
        file.write(b'half of it')
        raise error

    with pytest.raises(raised):
        write_atomically(str(path), write, 'out_file')
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['recall.json']


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='out_file=.*cannot be written.*name a file in a folder'):
        evaluate(make_samples(), out_file=str(tmp_path / 'file' / 'recall.json'))


def test_missing_and_surplus_ids():
    samples = make_samples()
    with pytest.raises(MetricError, match=r'9 of 10 image ids arrived in 11 .*DefaultSampler\(round_up=True\)'):
        evaluate([*samples[:9], *samples[:2]], size=10)
    with pytest.raises(MetricError, match='10 of 8 image ids arrived'):
        evaluate(samples, size=8)
    with pytest.raises(MetricError, match='no predictions arrived'):
        evaluate([], size=10)


def test_predictions_that_disagree():
    samples = make_samples()
    near = dict(samples[3], image_embed=samples[3]['image_embed'] + 1e-4)
    assert evaluate([*samples, near], size=10) == evaluate(samples)
    with pytest.raises(MetricError, match=r'two predictions of image id 103 disagree: their image .* than 1e-05'):
        evaluate([*samples, near], size=10, tolerance=1e-5)
    far = dict(samples[3], text_embed=-samples[3]['text_embed'])
    with pytest.raises(MetricError, match='two predictions of image id 103 disagree: their caption .* eval mode'):
        evaluate([*samples, far], size=10)
    other = dict(samples[4], image_id=103)
    with pytest.raises(MetricError, match='two predictions of image id 103 have different captions, 4 and 5'):
        evaluate([*samples, other], size=10)


def test_caption_ids_used_twice():
    samples = make_samples()
    samples[2]['caption_ids'] = np.array([900, 501, 902])
    with pytest.raises(MetricError, match='1 caption ids are used twice, the first is 501 of images'):
        evaluate(samples)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_predictions_that_are_not_finite(value):
    samples = make_samples()
    samples[3]['image_embed'][0] = value
    with pytest.raises(MetricError, match='1 of 10 image embeddings are NaN or infinite, the first of image id 103'):
        evaluate([*samples, samples[3]], size=10)
    samples = make_samples()
    samples[3]['text_embed'][1:, 0] = value
    with pytest.raises(MetricError, match='3 of 30 caption embeddings .* caption id 507'):
        evaluate(samples)


def test_samples_that_are_incomplete():
    sample = make_samples()[3]
    without = {key: value for key, value in sample.items() if key != 'text_embed'}
    with pytest.raises(MetricError, match='data sample 103 lacks text_embed'):
        evaluate([without])
    with pytest.raises(MetricError, match='image id 103: .* must be'):
        evaluate([dict(sample, text_embed=sample['text_embed'][1:])])
    with pytest.raises(MetricError, match='2 rows of tokens for 4 captions'):
        evaluate([dict(sample, tokens=np.ones((2, 5)))])
    with pytest.raises(MetricError, match=r'different widths arrived: \[3, 12\]'):
        evaluate([sample, dict(image_id=1, caption_ids=[1], image_embed=torch.ones(3), text_embed=torch.ones(1, 3))])


def test_an_error_does_not_stay():
    metric, samples = ImageTextRecall(), make_samples()
    metric.process(None, samples[:4])
    with pytest.raises(MetricError):
        metric.evaluate(10)
    metric.process(None, samples)
    assert metric.evaluate(10) == evaluate(samples)
    assert metric.results == []


def test_compute_metrics():
    metric, samples = ImageTextRecall(), make_samples()
    metric.process(None, [*samples, samples[2]])
    assert {f'retrieval/{k}': v for k, v in metric.compute_metrics(metric.results).items()} == evaluate(samples)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(topk=(1, 0)), r'topk=\(1, 0\) must be different whole numbers of at least 1'),
        (dict(topk=(1, 1)), 'topk'),
        (dict(topk=()), 'topk'),
        (dict(topk=5), 'topk'),
        (dict(topk=(True,)), 'topk'),
        (dict(topk=(1.0,)), 'topk'),
        (dict(ties='random'), "ImageTextRecall: ties must be one of 'expected', .*, got 'random'"),
        (dict(ties=[]), 'ties'),
        (dict(prefix=''), "prefix='' must be a name"),
        (dict(prefix='a/'), 'prefix'),
        (dict(prefix=3), 'prefix=3'),
        (dict(chunk_size=0), 'chunk_size must be a whole number of at least 1, got 0'),
        (dict(chunk_size=None), 'chunk_size must be a whole number of at least 1, got None'),
        (dict(tolerance=-1), 'tolerance must be a number of at least 0 and below 1, got -1'),
        (dict(tolerance=float('nan')), 'tolerance must be .*, got nan'),
        (dict(collect_device='cuda'), "collect_device must be one of 'cpu', 'gpu', got"),
        (dict(out_file=''), "out_file=''"),
        (dict(collect_device='gpu', collect_dir='x'), 'collect_dir'),
        (dict(scores_file=1), 'scores_file=1'),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        ImageTextRecall(**options)


def test_constructor_is_keyword_only():
    with pytest.raises(TypeError):
        ImageTextRecall((1, 5))
    with pytest.raises(TypeError):
        ImageTextRecall(top_k=(1, 5))
