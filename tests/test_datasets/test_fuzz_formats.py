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
WRAPPERS = ('CachedFeatureDataset', 'SeedByPosition')


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
    assert ours == {*KARPATHY_SETS, *OTHERS, *WRAPPERS} == {*roots, *WRAPPERS}
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
