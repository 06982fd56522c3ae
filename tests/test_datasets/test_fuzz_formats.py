"""Whatever is in the files of a data set, of each registered kind, it is built and read, or says one sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.datasets.images.region_files import RegionRecord, read_regions, write_regions
from osdpm_plugin.errors import DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.fuzzing import FUZZED, SEEDS
from tests.helpers.generated_data import LAYOUTS, write_dataset, write_nwpu, write_precomp
from tests.test_datasets.test_fuzz_readers import CSV, ROWS, mutate_bytes, mutate_tree

SCENES = dict(num_train=1, num_val=1, num_test=1, image_size=64)
KARPATHY_SETS = sorted(LAYOUTS)
OTHERS = ('NWPUCaptions', 'PrecompCaptions', 'CaptionDataset', 'ProceduralScenes')
LABELLED = 'LabelledImageDataset'  # no captions
WRAPPERS = ('CachedFeatureDataset', 'MixedDataset', 'SeedByPosition')
LABEL_FILES = {
    'rows.csv': 'filename,label\na.png,plane\na.png,storage tank\nb.png,quarry\nc.png,\n',
    'lists.csv': "image,classes,split\na.png,\"['plane', 'quarry']\",train\nb.png,quarry,train\nc.png,[],test\n",
    'columns.csv': 'image,plane,quarry\na.png,2,1\nb.png,0,1\nc.png,0,0\n',
    'names.json': '{"a.png": {"plane": 2, "quarry": 1}, "b.png": "quarry", "c.png": []}',
    'lines.jsonl': '{"image": "a.png", "labels": ["plane", "quarry"]}\n{"image": "b.png", "labels": "quarry"}\n',
    'coco.json': json.dumps(
        dict(
            images=[dict(id=i, file_name=f'{name}.png') for i, name in enumerate('abc')],
            categories=[dict(id=4, name='plane'), dict(id=5, name='quarry')],
            annotations=[dict(image_id=0, category_id=4, bbox=[0, 0, 1, 1]), dict(image_id=1, category_id=5)],
        )
    ),
    'yolo/a.txt': '0 0.5 0.5 0.1 0.1\n1 0.1 0.2 0.3 0.4\n',
    'yolo/data.yaml': 'names: [plane, quarry]\n',
    'dota/b.txt': 'imagesource:GoogleEarth\ngsd:0.1\n1 2 3 4 5 6 7 8 plane 0\n',
}


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """A good data set of each kind: its folder, the files that the tests spoil, and arguments."""
    folder, made = tmp_path_factory.mktemp('sets'), {}
    for kind in KARPATHY_SETS:
        write_dataset(folder / kind, kind, train=3, val=1, test=1, size=16)
        made[kind] = (folder / kind, [LAYOUTS[kind][0]], {})
    write_nwpu(folder / 'nwpu', train=2, val=1, test=1)
    made['NWPUCaptions'] = (folder / 'nwpu', ['dataset_nwpu.json'], {})
    write_precomp(folder / 'precomp', train=3, test=2)
    texts = [f'{split}_{what}.txt' for split in ('train', 'test') for what in ('caps', 'filename')]
    made['PrecompCaptions'] = (folder / 'precomp', texts, {})
    own = folder / 'own'
    own.mkdir()
    (own / 'a.csv').write_bytes(CSV)
    (own / 'b.jsonl').write_text('\n'.join(map(json.dumps, ROWS)))
    (own / 'c.json').write_text(json.dumps(ROWS))
    made['CaptionDataset'] = (own, ['a.csv', 'b.jsonl', 'c.json'], {})
    scenes = folder / 'scenes'
    DATASETS.build(dict(type='ProceduralScenes', data_root=str(scenes), split='train', **SCENES))
    made['ProceduralScenes'] = (scenes, ['dataset.json'], SCENES)
    return made


def spoil(path, seed):
    """Another content for a file: its JSON tree changed, or its bytes."""
    content = path.read_bytes()
    if path.suffix == '.json' and seed % 3:
        return json.dumps(mutate_tree(json.loads(content), seed)).encode()
    return mutate_bytes(content, seed)


def must_build_or_explain(build, root):
    """What is built can be read to its end."""
    try:
        data = build()
    except DataError as error:
        assert len(str(error)) > 20 and '\n' not in str(error) and str(root) in str(error), str(error)
        return None
    assert len(data) > 0
    for index in range(len(data)):
        info = data[index]
        assert info['captions'] and len(info['captions']) == len(info['caption_ids'])
        assert Path(root) in Path(info['img_path']).parents
    return data


def test_every_registered_set_is_among_them(roots):
    ours = {
        name for name, kind in DATASETS.module_dict.items()
        if isinstance(kind, type) and kind.__module__.startswith('osdpm_plugin.')
    }  # fmt: skip
    assert ours == {*KARPATHY_SETS, *OTHERS, LABELLED, *WRAPPERS} == {*roots, LABELLED, *WRAPPERS}
    assert all(issubclass(DATASETS.get(name), CaptionRetrievalDataset) for name in roots)


@FUZZED
@given(seed=SEEDS, kind=st.sampled_from([*KARPATHY_SETS, *OTHERS]), split=st.sampled_from(['train', 'val', 'test']))
def test_spoilt_files_of_every_set(roots, seed, kind, split):
    root, names, arguments = roots[kind]
    path = root / random.Random(seed).choice(names)
    good = path.read_bytes()
    settings = dict(type=kind, data_root=str(root), split=split, check='none', **arguments)
    if kind == 'CaptionDataset':
        settings['ann_file'] = path.name
    path.write_bytes(spoil(path, seed))
    try:
        must_build_or_explain(lambda: DATASETS.build(settings), root)
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize('kind', [*KARPATHY_SETS, *OTHERS])
def test_good_files_are_read(roots, kind):
    """Else the test above would prove little."""
    root, names, arguments = roots[kind]
    own = dict(ann_file=names[0]) if kind == 'CaptionDataset' else {}
    settings = dict(type=kind, data_root=str(root), split='test', **own, **arguments)
    assert must_build_or_explain(lambda: DATASETS.build(dict(settings, check='none')), root) is not None


@pytest.fixture(scope='module')
def labelled(tmp_path_factory):
    """A folder with images and their labels in every layout."""
    root = tmp_path_factory.mktemp('labelled')
    for name in 'abc':
        (root / f'{name}.png').write_bytes(b'')
    for name, text in LABEL_FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def labels_of(root, name):
    """All labels that a file of `LABEL_FILES`, or its folder, gives."""
    data = DATASETS.build(dict(type=LABELLED, data_root=str(root), ann_file=name.partition('/')[0], check='none'))
    return [data.get_data_info(index)['labels'] for index in range(len(data))]


@FUZZED
@given(seed=SEEDS, name=st.sampled_from(sorted(LABEL_FILES)))
def test_spoilt_files_of_labels(labelled, seed, name):
    path = labelled / name
    path.write_bytes(spoil(path, seed))
    try:
        found = labels_of(labelled, name)
    except DataError as error:
        assert len(str(error)) > 20 and '\n' not in str(error) and str(labelled) in str(error), str(error)
    else:
        assert found and all(isinstance(n, float) for labels in found for n in labels.values())
    finally:
        path.write_text(LABEL_FILES[name])


@pytest.mark.parametrize('name', sorted(LABEL_FILES))
def test_good_files_of_labels_are_read(labelled, name):
    assert 'plane' in {label for labels in labels_of(labelled, name) for label in labels}


@pytest.mark.parametrize(
    'text',
    [
        '{"a.png": {"plane": 1e400}}',
        '{"a.png": {"plane": 1e12}}',
        '{"a.png": {"plane": -1}}',
        '{"images": 3}',
        '{"images": [{"id": [1], "file_name": "a.png"}], "categories": [], "annotations": []}',
        '[3]',
    ],
)
def test_labels_that_are_none(labelled, text):
    path = labelled / 'odd.json'
    path.write_text(text)
    with pytest.raises(DataError, match='odd.json'):
        labels_of(labelled, path.name)


REGIONS = RegionRecord(
    boxes=np.array([[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.9]], np.float32),
    labels=np.array([3, 1]),
    scores=np.array([0.2, 0.9], np.float32),
    features=np.ones((2, 4), np.float32),
)


@FUZZED
@given(seed=SEEDS)
def test_spoilt_region_files(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / 'regions.npz'
    write_regions(path, REGIONS)
    path.write_bytes(mutate_bytes(path.read_bytes(), seed))
    try:
        found = read_regions(path)
    except DataError as error:
        assert 'regions.npz' in str(error) and '\n' not in str(error)
    else:
        assert len(found.boxes) == len(found.labels) == len(found.scores)
