"""Lists of images that published repositories ship, and HVSA's rule."""

import json
import logging
import random
from pathlib import Path

import pytest

from osdpm_plugin.datasets.annotations.records import ImageRecord
from osdpm_plugin.datasets.annotations.split_conventions import apply_convention, last_of_shuffle
from osdpm_plugin.datasets.annotations.split_lists import apply_manifest
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import write_dataset, write_precomp


def records_of(train=8, test=2):
    splits = ['train'] * train + ['test'] * test
    return [ImageRecord(i, f'park_{i}.tif', split, ('a park',), (i,)) for i, split in enumerate(splits)]


def splits_of(records):
    return {s: [r.image_id for r in records if r.split == s] for s in ('train', 'val', 'test')}


def write(folder, name, numbers, form=None):
    """A list of images: SWAN's (val five times each), or the JSON of PIR and HarMA, in another order."""
    if form == 'json':
        content = json.dumps([dict(image=f'{name[:3]}/park_{i}.tif', caption=['a park'] * 5) for i in numbers[::-1]])
    else:
        content = '\n'.join(f'park_{i}.tif' for i in numbers for _ in range(5 if 'val' in name else 1)) + '\n'
    (folder / name).write_text(content)
    return str(folder / name)


@pytest.mark.parametrize('form', ['text', 'json'])
def test_lists_of_swan_pir_and_harma(tmp_path, form):
    suffix = 'json' if form == 'json' else 'txt'
    files = dict(
        train=write(tmp_path, f'train_filename_verify.{suffix}', [0, 2, 4, 5, 6, 7], form),
        val=write(tmp_path, f'val_filename_verify.{suffix}', [3, 1], form),
    )
    expected = dict(train=[0, 2, 4, 5, 6, 7], val=[1, 3], test=[8, 9])
    assert splits_of(apply_manifest(records_of(), files, source='x')) == expected
    for split in files:  # one list is enough
        assert splits_of(apply_manifest(records_of(), files[split], source='x')) == expected
        assert splits_of(apply_manifest(records_of(), {split: files[split]}, source='x')) == expected
    test = write(tmp_path, f'test.{suffix}', [0, 9], form)
    records = [r._replace(split='') for r in records_of()]
    with pytest.raises(DataError, match='shares 1 images with that of .train., first park_0.tif'):
        apply_manifest(records, dict(files, test=test), source='x')
    test = write(tmp_path, f'test.{suffix}', [9, 8], form)
    assert splits_of(apply_manifest(records, dict(files, test=test), source='x')) == expected


def test_a_data_set_follows_lists(tmp_path):
    write_dataset(tmp_path, 'RSITMD', train=5, val=0, test=2)
    (tmp_path / 'val_list.txt').write_text('images\\scene_3.jpg\r\nscene_0.tif\r\n')
    for manifest in (str(tmp_path / 'val_list.txt'), dict(val=str(tmp_path / 'val_list.txt'))):
        options = dict(type='RSITMD', data_root=str(tmp_path), split_manifest=manifest, check='none')
        parts = {s: DATASETS.build(dict(options, split=s)) for s in ('train', 'val', 'test')}
        ids = {s: [data.get_data_info(i)['image_id'] for i in range(len(data))] for s, data in parts.items()}
        assert ids == dict(train=[1, 2, 4], val=[0, 3], test=[5, 6])


@pytest.mark.parametrize(
    ('lists', 'message'),
    [
        (
            dict(train=[0, 1], val=[2]),
            '5 images of annotation file x are in none of the lists .*, first park_3.tif',
        ),
        (dict(val=[0, 8]), '1 images of the lists .* are test images of annotation file x, first park_8.tif'),
        (dict(val=[3, 77, 78, 79]), 'val.txt: 3 of its 4 names are not in annotation file x, first park_77.tif'),
        (dict(val=[]), 'val.txt is empty; write a file name a line'),
    ],
)
def test_lists_that_do_not_fit(tmp_path, lists, message):
    files = {split: write(tmp_path, f'{split}.txt', numbers) for split, numbers in lists.items()}
    with pytest.raises(DataError, match=message):
        apply_manifest(records_of(), files, source='x')


def test_lists_without_a_split(tmp_path):
    with pytest.raises(ConfigError, match=r'does not say of which split; write split_manifest=dict\(train='):
        apply_manifest(records_of(), write(tmp_path, 'list.txt', [0]), source='x')
    with pytest.raises(ConfigError, match='has a list of trainval; name train, val or test'):
        apply_manifest(records_of(), dict(trainval='list.txt'), source='x')
    with pytest.raises(DataError, match='train.txt does not exist'):
        apply_manifest(records_of(), str(tmp_path / 'train.txt'), source='x')


def test_names_of_a_list_that_the_file_lacks_are_counted(tmp_path, monkeypatch):
    """RSITMD without the four images of blank captions still takes the lists that name them."""
    lines = []
    monkeypatch.setattr(
        'osdpm_plugin.datasets.annotations.split_lists.print_log',
        lambda message, logger, level=logging.INFO: lines.append((logging.getLevelName(level), message)),
    )
    file = write(tmp_path, 'val.txt', [1, 2, 99])
    assert splits_of(apply_manifest(records_of(), file, source='x'))['val'] == [1, 2]
    assert lines == [
        ('WARNING', f'{file}: 1 of its 3 images are not in x, first park_99.tif'),
        ('INFO', f'x: splits by {file}: 2 test, 6 train, 2 val'),
    ]


def test_the_rule_of_hvsa(tmp_path):
    """The numbers of CPython's generator, which every version since 3.2 gives."""
    assert last_of_shuffle(range(10), 3, 2022) == set(HVSA_2022[-3:])
    random.seed(2023)
    order = list(range(4291))
    random.shuffle(order)
    val = set(order[int(4291 * 0.9) :])
    records = [ImageRecord(i, f'{i}.tif', 'train' if i < 4291 else 'test', ('x',), (i,)) for i in range(4291 + 452)]
    cut = apply_convention(records, convention='hvsa', seed=2023, source='x')
    assert len(val) == 430 and {r.image_id for r in cut if r.split == 'val'} == val
    without_blank = [r for r in cut if r.image_id not in (7, 2000, 2001)]  # their lines stay in HVSA's file
    cut = apply_convention(without_blank, convention='hvsa', seed=2023, source='x')
    assert {r.image_id for r in cut if r.split == 'val'} == val - {7, 2000, 2001}


HVSA_2022 = (3, 1, 5, 0, 6, 2, 9, 7, 4, 8)


def test_hvsa_of_its_own_files(tmp_path):
    write_precomp(tmp_path, train=10, test=2)
    options = dict(
        type='PrecompCaptions', data_root=str(tmp_path), check='none', split_convention='hvsa', split_seed=2022
    )
    val = DATASETS.build(dict(options, split='val', split_convention='hvsa', split_seed=2022))
    assert [Path(val.get_data_info(i)['img_path']).name for i in range(len(val))] == [f'scene_{HVSA_2022[-1]}.png']


def test_the_old_name_of_the_sizes_of_pir(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'osdpm_plugin.datasets.annotations.split_conventions.print_log',
        lambda message, logger, level=logging.INFO: lines.append((logging.getLevelName(level), message)),
    )
    records = records_of(train=20)
    assert apply_convention(records, convention='pir', seed=3, source='x') == apply_convention(
        records, convention='pir_sizes', seed=3, source='x'
    )
    assert [message for _, message in lines if 'it is called' in message] == [
        "split_convention='pir' is a seeded cut in the sizes of PIR and not its own; it is called 'pir_sizes' now, and "
        "PIR's own lists go into split_manifest"
    ]
