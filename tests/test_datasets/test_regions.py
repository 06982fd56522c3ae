"""Regions: files, their transform, the tool that makes them, and the retriever that reads them."""

import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from osdpm_plugin.datasets.images.region_files import RegionRecord, read_regions, region_file, write_regions
from osdpm_plugin.datasets.transforms import LoadRegions, PackRetrievalInputs
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.data.region_detection import detect_regions, find_images, to_record
from osdpm_plugin.models.preprocessors.collate import collate_regions
from osdpm_plugin.models.retrievers import ImageTextRetriever
from osdpm_plugin.registry import DATASETS, MODELS
from osdpm_plugin.structures import RetrievalDataSample
from tests.helpers import word_features as words
from tests.helpers.paths import ROOT
from tests.helpers.short_runs import exit_code_of


def a_record(count=3, seed=0, features=None):
    rng = np.random.default_rng(seed)
    low = 0.5 * rng.random((count, 2), dtype=np.float32)
    boxes = np.concatenate([low, low + 0.3 * rng.random((count, 2), dtype=np.float32)], axis=1)
    return RegionRecord(
        boxes=boxes,
        labels=rng.integers(0, 4, count),
        scores=rng.random(count, dtype=np.float32),
        features=None if features is None else rng.random((count, features), dtype=np.float32),
    )


@pytest.mark.parametrize('features', [None, 5])
@pytest.mark.parametrize('count', [0, 1, 6])
def test_files_come_back_sorted_by_score(tmp_path, count, features):
    record = a_record(count, features=features)
    path = region_file(tmp_path, 'images/airport_1.jpg')
    assert path == tmp_path / 'airport_1.npz'
    write_regions(path, record)
    got = read_regions(path)
    order = np.argsort(-record.scores)
    for name, array in record._asdict().items():
        if array is None:
            assert getattr(got, name) is None
        else:
            np.testing.assert_array_equal(getattr(got, name), array[order])
    assert got.boxes.dtype == np.float32 and got.labels.dtype == np.int64


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (dict(boxes=100 * np.ones((3, 4))), 'outside 0..1 or with x2 < x1; divide pixels'),
        (dict(boxes=np.array([[0.5, 0, 0.4, 1]] * 3)), 'outside 0..1 or with x2 < x1'),
        (dict(boxes=np.zeros((2, 4))), r'boxes \(R, 4\), labels \(R,\)'),
        (dict(labels=np.zeros(2, int)), r'boxes \(R, 4\), labels \(R,\)'),
        (dict(labels=np.array([0, -1, 2])), 'labels that are integers from 0'),
        (dict(labels=np.zeros(3)), 'labels that are integers from 0'),
        (dict(scores=np.full(3, 1.5)), 'scores in 0..1'),
        (dict(scores=np.full(3, np.nan)), 'not finite'),
        (dict(features=np.zeros(3)), r'features \(R, F\)'),
    ],
)
def test_what_breaks_the_layout(tmp_path, change, sentence):
    record = {name: array for name, array in a_record()._replace(**change)._asdict().items() if array is not None}
    np.savez(tmp_path / 'a.npz', **record)
    with pytest.raises(DataError, match=sentence):
        read_regions(tmp_path / 'a.npz')
    with pytest.raises(DataError, match=sentence):
        write_regions(tmp_path / 'b.npz', a_record()._replace(**change))
    assert not (tmp_path / 'b.npz').exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match='no.npz does not exist; make it with tools/extract_regions.py'):
        read_regions(tmp_path / 'no.npz')
    (tmp_path / 'text.npz').write_text('boxes')
    with pytest.raises(DataError, match='is no npz file of numbers'):
        read_regions(tmp_path / 'text.npz')
    np.savez(tmp_path / 'half.npz', boxes=np.zeros((0, 4)))
    with pytest.raises(DataError, match='lacks labels, scores'):
        read_regions(tmp_path / 'half.npz')
    with pytest.raises(DataError, match='cannot be written .*choose an existing'):
        write_regions(tmp_path / 'no' / 'a.npz', a_record())


def test_load_regions_keeps_the_best(tmp_path):
    record = a_record(6, features=2)._replace(scores=np.array([0.1, 0.9, 0.5, 0.3, 0.8, 0.2], dtype=np.float32))
    write_regions(tmp_path / 'a.npz', record)
    given = dict(img_path='somewhere/a.jpg')
    regions = LoadRegions(folder=str(tmp_path), num=3)(given)['regions']
    assert regions['scores'].tolist() == pytest.approx([0.9, 0.8, 0.5]) and given == dict(img_path='somewhere/a.jpg')
    np.testing.assert_array_equal(regions['features'], record.features[[1, 4, 2]])
    assert len(LoadRegions(folder=str(tmp_path), min_score=0.85)(given)['regions']['labels']) == 1
    assert len(LoadRegions(folder=str(tmp_path), min_score=1.0)(given)['regions']['boxes']) == 0
    for options, sentence in ((dict(num=0), 'num must be'), (dict(min_score=2.0), 'min_score must')):
        with pytest.raises(ConfigError, match=sentence):
            LoadRegions(folder='', **options)


def a_sample(record):
    sample = RetrievalDataSample()
    sample.regions = {name: array for name, array in record._asdict().items() if array is not None}
    return sample


def test_collating_ragged_regions():
    records = [a_record(n, seed=n, features=2) for n in (2, 0, 3)]
    regions = collate_regions([a_sample(r) for r in records], torch.device('cpu'))
    assert regions.mask.sum(dim=1).tolist() == [2, 0, 3] and regions.boxes.shape == (3, 3, 4)
    for row, record in enumerate(records):
        n = len(record.scores)
        for name, array in record._asdict().items():
            np.testing.assert_array_equal(getattr(regions, name)[row, :n].numpy(), array)
            assert (getattr(regions, name)[row, n:] == 0).all()
    nothing = collate_regions([a_sample(a_record(0))] * 2, torch.device('cpu'))
    assert nothing.boxes.shape == (2, 1, 4) and not nothing.mask.any() and nothing.features is None
    with pytest.raises(ConfigError, match='come without regions; put dict'):
        collate_regions([a_sample(a_record()), RetrievalDataSample()], torch.device('cpu'))
    with pytest.raises(ConfigError, match='some have not'):
        collate_regions([a_sample(a_record()), a_sample(a_record(features=2))], torch.device('cpu'))


def galr_of_detections(**changes):
    cfg = dict(
        type='ImageTextRetriever',
        image_tower=dict(type='mmpretrain.ResNet', depth=18, base_channels=4, out_indices=(0, 1, 2, 3)),
        neck=dict(
            type='GlobalLocalNeck',
            in_channels=(4, 8, 16, 32),
            embed_dims=16,
            grid=4,
            region_source='detected',
            num_regions=4,
            num_labels=4,
        ),
        text_neck=dict(type='LinearTextNeck', in_channels=16, embed_dims=16, activation='relu'),
        similarity=dict(type='DotProduct'),
    )
    return words.build(**{**cfg, **changes})


def batch_with_regions(ids, seed=0):
    data = words.batch(ids)
    for sample in data['data_samples']:
        sample.set_data(a_sample(a_record(1 + sample.image_id % 4, seed=seed + sample.image_id)).to_dict())
    return data


def test_the_retriever_hands_regions_to_the_neck():
    model = galr_of_detections()
    data = model.data_preprocessor(batch_with_regions(range(5)))
    total, _ = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    with torch.no_grad():
        first = torch.stack([p.image_embed for p in model(**data, mode='predict')])
        torch.testing.assert_close(model(**data, mode='tensor')[0], first)
        other = model.data_preprocessor(batch_with_regions(range(5), seed=9))
        second = torch.stack([p.image_embed for p in model(**other, mode='predict')])
        alone = model.data_preprocessor(batch_with_regions([3]))
        third = model(**alone, mode='predict')[0].image_embed
    assert (first - second).abs().max() > 1e-3
    torch.testing.assert_close(third, first[3])
    samples = data.pop('data_samples')
    torch.testing.assert_close(model(**data, mode='tensor')[0], first)
    with pytest.raises(ConfigError, match='come without regions; put dict'):
        model(data['inputs'], samples, mode='predict')
    with pytest.raises(ConfigError, match='come without regions; put dict'):
        model(**model.data_preprocessor(words.batch(range(2))), mode='predict')


def test_regions_travel_through_the_pipeline(tmp_path):
    write_regions(tmp_path / 'a.npz', a_record(3))
    results = dict(
        img=np.zeros((4, 4, 3), np.uint8),
        img_path='a.jpg',
        image_id=1,
        captions=['one'],
        caption_ids=[0],
        tokens=np.zeros((1, 3), np.int64),
    )
    sample = PackRetrievalInputs()(LoadRegions(folder=str(tmp_path))(results))['data_samples']
    assert sample.regions['boxes'].shape == (3, 4)
    assert 'regions' not in PackRetrievalInputs()(results)['data_samples']


def test_find_images(tmp_path):
    with pytest.raises(DataError, match='has no images'):
        find_images(tmp_path)
    for name in ('b.JPG', 'a.tif', 'notes.txt'):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ['a.tif', 'b.JPG']
    (tmp_path / 'a.png').touch()
    with pytest.raises(DataError, match='2 images of the name a; rename'):
        find_images(tmp_path)


def test_to_record_by_hand():
    """An image of 50 x 100 px: 10, 20 to 60, 45 is 0.1, 0.4 to 0.6, 0.9; what is outside is cut off."""
    record = to_record(
        np.array([[10.0, 20, 60, 45], [-5, 0, 120, 50]]), np.array([7, 3]), np.array([0.4, 0.8]), (50, 100)
    )
    np.testing.assert_allclose(record.boxes, [[0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9]], rtol=1e-6)
    assert record.labels.tolist() == [3, 7] and record.scores.tolist() == pytest.approx([0.8, 0.4])
    with pytest.raises(DataError, match=r'boxes of shape \(1, 5\), not \(R, 4\)'):
        to_record(np.zeros((1, 5)), np.zeros(1, int), np.zeros(1), (5, 5))


class Boxes(SimpleNamespace):
    """As mmdet's box structures hold their tensor."""


@pytest.fixture
def detector(monkeypatch):
    """A stand-in for mmdet that finds as many objects in an image as it is wide in tens of pixels."""
    calls = []

    def inference(model, path):
        with Image.open(path) as image:
            width, height = image.size
        count = width // 10
        calls.append(path)
        boxes = torch.tensor([[0.0, 0.0, width / 2, height]]).repeat(count, 1)
        found = dict(bboxes=Boxes(tensor=boxes), labels=torch.arange(count), scores=torch.linspace(0.0, 0.9, count))
        return SimpleNamespace(pred_instances=found, ori_shape=(height, width))

    apis = types.ModuleType('mmdet.apis')
    apis.init_detector = lambda config, checkpoint, device: (config, checkpoint, device)
    apis.inference_detector = inference
    monkeypatch.setitem(sys.modules, 'mmdet', types.ModuleType('mmdet'))
    monkeypatch.setitem(sys.modules, 'mmdet.apis', apis)
    return calls


def write_images(folder):
    folder.mkdir()
    for name, width in (('a', 20), ('b', 50)):
        Image.new('RGB', (width, 30)).save(folder / f'{name}.png')
    return folder


def test_detection_writes_a_file_for_each_image(tmp_path, detector):
    assert detect_regions('c.py', 'c.pth', write_images(tmp_path / 'images'), tmp_path / 'out', num=3) == 2
    assert len(detector) == 2
    few, many = read_regions(tmp_path / 'out' / 'a.npz'), read_regions(tmp_path / 'out' / 'b.npz')
    assert few.labels.tolist() == [1] and many.labels.tolist() == [4, 3, 2]
    assert few.boxes.tolist() == [[0, 0, 0.5, 1]] and many.scores.tolist() == pytest.approx([0.9, 0.675, 0.45])


def test_regions_of_another_image_are_not_replaced(tmp_path, detector):
    out = tmp_path / 'out'
    first, second = write_images(tmp_path / 'first'), write_images(tmp_path / 'second')
    detect_regions('c.py', 'c.pth', first, out, num=3)
    Image.new('RGB', (30, 30)).save(second / 'b.png')
    kept = (out / 'b.npz').read_bytes()
    with pytest.raises(DataError, match='b.npz was made from another image of that name; write to a folder of its own'):
        detect_regions('c.py', 'c.pth', second, out)
    assert len(detector) == 2 and (out / 'b.npz').read_bytes() == kept
    assert detect_regions('c.py', 'c.pth', first.rename(tmp_path / 'moved'), out, num=1) == 2
    assert len(read_regions(out / 'b.npz').scores) == 1
    write_regions(out / 'b.npz', a_record())  # as written by others, without the hash
    (out / 'a.npz').write_text('damaged')
    assert detect_regions('c.py', 'c.pth', second, out) == 2


def test_a_data_set_has_a_region_file_for_each_image(tmp_path):
    (tmp_path / 'own.csv').write_text('filename,caption,split\na/1.jpg,one,train\nb/1.jpg,two,test\n')
    options = dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='own.csv', split='test', check='none')
    assert len(DATASETS.build(options)) == 1
    with pytest.raises(DataError, match='images a/1.jpg and b/1.jpg share the region file 1.npz; rename one'):
        DATASETS.build(dict(options, pipeline=[dict(type='LoadRegions', folder='regions')]))


def test_the_tool(tmp_path, detector, capsys):
    images = str(write_images(tmp_path / 'images'))
    assert exit_code_of('extract_regions', ['c.py', 'c.pth', images, str(tmp_path / 'out'), '--num', '1']) == 0
    assert len(read_regions(tmp_path / 'out' / 'b.npz').scores) == 1
    assert exit_code_of('extract_regions', ['c.py', 'c.pth', str(tmp_path), str(tmp_path / 'out')]) == 2
    assert 'has no images' in capsys.readouterr().err
    assert exit_code_of('extract_regions', ['c.py', 'c.pth', images, 'out', '--num', '0']) == 2


def test_without_mmdet_there_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmdet.apis', None)
    images = str(write_images(tmp_path / 'images'))
    assert exit_code_of('extract_regions', ['c.py', 'c.pth', images, str(tmp_path / 'out')]) == 2
    error = capsys.readouterr().err
    assert 'mmdet is not installed' in error and len(error.splitlines()) == 1 and not (tmp_path / 'out').exists()


def test_the_shipped_config_takes_detections():
    """By two keys, and under the name that models which read regions had before."""
    cfg = Config.fromfile(ROOT / 'configs/comparison/galr_rsitmd.py')
    assert not MODELS.build(cfg.model).reads_regions
    cfg.model.neck.region_source = 'detected'
    for name in ('ImageTextRetriever', 'RegionRetriever'):
        model = MODELS.build(dict(cfg.model, type=name))
        assert isinstance(model, ImageTextRetriever) and model.reads_regions
