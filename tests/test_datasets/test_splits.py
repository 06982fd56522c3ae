"""Cuts of train and val: sizes of the field, the same on every machine; manifests, exclude lists."""

import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from osdpm_plugin.datasets.annotations.records import ImageRecord, usual_split_names
from osdpm_plugin.datasets.annotations.split_conventions import (
    CONVENTIONS,
    apply_convention,
    lowest_hashes,
    train_size,
)
from osdpm_plugin.datasets.annotations.split_manifest import make_manifest, read_manifest
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import write_dataset, write_precomp
from tests.helpers.short_runs import exit_code_of


def records_of(**sizes):
    splits = [split for split, count in sizes.items() for _ in range(count)]
    return [ImageRecord(i, f'{i}.jpg', split, ('a park',), (i,)) for i, split in enumerate(splits)]


def sizes_of(records):
    return {split: sum(r.split == split for r in records) for split in ('train', 'val', 'test')}


def build(kind, root, split, **options):
    return DATASETS.build(dict(type=kind, data_root=str(root), split=split, check='none', **options))


def names(data):
    return {Path(data.get_data_info(i)['img_path']).name for i in range(len(data))}


@pytest.mark.parametrize(
    ('convention', 'pool', 'train', 'val'),
    [
        ('pir', dict(train=8734, val=1094, test=1093), 7862, 1966),
        ('pir', dict(train=4291, test=452), 3435, 856),
        ('pir', dict(train=4287, test=452), 3431, 856),
        ('galr', dict(train=4291, test=452), 3432, 859),
        ('galr', dict(train=9828, test=1093), 7862, 1966),
        ('hvsa', dict(train=9828, test=1093), 8845, 983),
        ('hvsa', dict(train=4291, test=452), 3861, 430),
        ('pir', dict(train=10, test=3), 8, 2),
        ('official', dict(train=4291, test=452), 3862, 429),
        ('official', dict(train=8734, val=1094, test=1093), 8734, 1094),
    ],
)
def test_sizes_of_the_field(convention, pool, train, val):
    records = records_of(**pool)
    cut = apply_convention(records, convention=convention, source='x')
    assert sizes_of(cut) == dict(train=train, val=val, test=pool['test'])
    assert [r._replace(split='') for r in cut] == [r._replace(split='') for r in records]
    assert all(c.split == 'test' for c, r in zip(cut, records) if r.split == 'test')


@pytest.mark.parametrize(
    ('names_of_file', 'usual'),
    [
        ('train validation test', 'train val test'),
        ('Train VALID', 'train val'),
        ('train Val TEST', 'train val test'),
        ('train val dev', 'train val dev'),
        ('train Val validation', 'train val validation'),
        ('train dev valid', 'train dev valid'),
        ('train holdout', 'train holdout'),
    ],
)
def test_spellings_of_splits(names_of_file, usual):
    assert list(usual_split_names(names_of_file.split()).values()) == usual.split()


def own_data(root, *splits, count=8, **options):
    """``count`` images of each split in a table of own data."""
    rows = [f'{split}_{i}.jpg,a park{f",{split}" if split else ""}' for split in splits for i in range(count)]
    header = 'filename,caption,split' if splits != ('',) else 'filename,caption'
    root.mkdir(exist_ok=True)
    (root / 'own.csv').write_text('\n'.join([header, *rows]) + '\n')
    return build('CaptionDataset', root, ann_file='own.csv', **options)


@pytest.mark.parametrize('val', ['validation', 'valid', 'dev', 'Val', 'Validation'])
def test_the_validation_images_of_a_file_are_val(tmp_path, val):
    for asked in ('val', val):
        assert names(own_data(tmp_path, 'train', val, 'test', split=asked)) == {f'{val}_{i}.jpg' for i in range(8)}
    assert names(own_data(tmp_path, 'train', val, 'test', split='train')) == {f'train_{i}.jpg' for i in range(8)}
    assert len(own_data(tmp_path, 'train', val, 'test', split='trainval')) == 16
    assert len(own_data(tmp_path, 'train', val, split='val', split_convention='hvsa')) == 2  # 16 - 14


def test_a_tenth_of_train_chooses_where_val_is_reported(tmp_path):
    def ask(split, **options):
        data = own_data(tmp_path, 'train', 'val', count=40, split=split, split_convention='selection', **options)
        return names(data)

    chosen, rest = ask('selection'), ask('train')
    assert len(chosen) == 4 and len(rest) == 36 and not chosen & rest
    assert chosen | rest == {f'train_{i}.jpg' for i in range(40)}
    assert chosen == lowest_hashes([f'train_{i}.jpg' for i in range(40)], 4, seed=0)  # whatever else the file holds
    assert ask('val') == {f'val_{i}.jpg' for i in range(40)}
    assert len(ask('selection', val_fraction=0.25)) == 10 and ask('selection', split_seed=1) != chosen
    with pytest.raises(DataError, match=r'own\.csv keeps its val and its 0 train images cannot be cut'):
        own_data(tmp_path / 'none', 'val', split='selection', split_convention='selection')


def test_another_split_of_the_name_is_left_alone(tmp_path):
    assert names(own_data(tmp_path, 'train', 'val', 'dev', split='dev')) == {f'dev_{i}.jpg' for i in range(8)}
    assert len(own_data(tmp_path, 'train', 'holdout', split='train')) == 8
    with pytest.raises(
        DataError, match=r"no image in split 'val'; it has 'holdout' \(8 images\), 'train' \(8 images\)"
    ):
        own_data(tmp_path, 'train', 'holdout', split='val')


def test_a_manifest_may_call_val_otherwise(tmp_path):
    records = [ImageRecord(i, f'train_{i}.jpg', 'train' if i < 6 else 'validation', ('a',), (i,)) for i in range(8)]
    path = tmp_path / 'manifest.json'
    path.write_text(json.dumps(make_manifest(records, convention='official', seed=0)))
    own = own_data(tmp_path, 'train', split='validation', split_manifest=str(path))
    assert names(own) == {'train_6.jpg', 'train_7.jpg'}


def test_a_cut_is_logged(tmp_path, monkeypatch):
    log = []
    target = 'osdpm_plugin.datasets.annotations.split_conventions.print_log'
    monkeypatch.setattr(target, lambda message, logger: log.append(message))
    for split in ('train', 'val'):
        own_data(tmp_path, 'train', 'test', count=20, split=split)
        how = 'has no val split: 2 of its 20 train images become val by val_fraction=0.1'
        assert log.pop() == f'{tmp_path / "own.csv"} {how}'
    own_data(tmp_path, 'train', 'test', split='test')
    own_data(tmp_path, 'train', 'validation', split='train')
    assert log == []


def test_a_file_without_splits_is_cut_when_asked(tmp_path, make_split, capsys):
    out = tmp_path / 'manifest.json'
    for split in ('train', 'val'):
        with pytest.raises(
            DataError, match='it names no splits: set split=None, or split_manifest to a file of tools/'
        ):
            own_data(tmp_path, '', count=20, split=split)
    for options, val in (([], 2), (['--val-fraction', '0.3'], 6), (['--convention', 'galr'], 4)):
        assert make_split([str(tmp_path / 'own.csv'), '--out', str(out), *options]) == 0
        assert json.loads(out.read_text())['sizes'] == dict(train=20 - val, val=val)
        assert 'test: none; name the test images in the split column' in capsys.readouterr().out
    by_manifest = own_data(tmp_path, '', count=20, split='val', split_manifest=str(out))
    assert names(by_manifest) == names(own_data(tmp_path, '', count=20, split='val', split_convention='galr'))
    own_data(tmp_path, '', count=1, split=None)
    assert make_split([str(tmp_path / 'own.csv'), '--out', str(out)]) == 2
    assert 'has no val split and its 1 split-less images cannot be cut' in capsys.readouterr().err


def test_a_cut_by_hand():
    """The names of the lowest hashes; a seed is the hash's salt, seed 0 the plain hash."""
    files = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']
    plain = {name: hashlib.blake2b(name.encode(), digest_size=8).hexdigest() for name in files}
    assert lowest_hashes(files, 2, 0) == set(sorted(files, key=plain.get)[:2]) == {'b.jpg', 'c.jpg'}  # b2sum -l 64
    salted = {n: hashlib.blake2b(n.encode(), digest_size=8, salt=b'\x07' + b'\0' * 15).hexdigest() for n in files}
    assert lowest_hashes(files, 1, 7) == {min(files, key=salted.get)}
    assert lowest_hashes(files[::-1], 2, 3) == lowest_hashes(files, 2, 3)
    cuts = {frozenset(lowest_hashes([f'{i}.jpg' for i in range(50)], 10, seed)) for seed in range(20)}
    assert len(cuts) == 20


def test_train_size_of_any_pool():
    assert [train_size(c, 4291) for c in ('pir', 'galr', 'hvsa')] == [3435, 3432, 3861]
    assert [train_size('hvsa', n) for n in (10, 11, 19, 20)] == [9, 9, 17, 18]


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_too_small_to_cut(convention):
    with pytest.raises(DataError, match='images cannot be cut by'):
        apply_convention(records_of(train=1, test=2), convention=convention, source='x')


def test_data_sets_follow_the_convention(tmp_path):
    write_dataset(tmp_path, 'RSICD', train=16, val=4, test=3)
    parts = {s: names(build('RSICD', tmp_path, s, split_convention='hvsa')) for s in ('train', 'val', 'test')}
    assert [len(parts[s]) for s in ('train', 'val', 'test')] == [18, 2, 3]
    assert not parts['train'] & parts['val'] and parts['test'] == names(build('RSICD', tmp_path, 'test'))
    other = names(build('RSICD', tmp_path, 'val', split_convention='hvsa', split_seed=1))
    assert other != parts['val'] and len(other) == 2
    assert parts['train'] | parts['val'] == names(build('RSICD', tmp_path, 'trainval', split_convention='hvsa'))


@pytest.fixture
def make_split():
    return partial(exit_code_of, 'make_split')


def test_a_manifest_says_the_same_split(tmp_path, make_split, capsys):
    write_dataset(tmp_path, 'RSITMD', train=20, val=0, test=4)
    out = tmp_path / 'manifest.json'
    ann_file = str(tmp_path / 'dataset_RSITMD.json')
    assert make_split([ann_file, '--convention', 'pir', '--seed', '5', '--out', str(out)]) == 0
    manifest = json.loads(out.read_text())
    assert list(manifest) == ['convention', 'seed', 'sizes', 'sha256', 'files']
    assert (manifest['convention'], manifest['seed']) == ('pir', 5)
    assert manifest['sizes'] == dict(test=4, train=16, val=4)
    test_files = 'scene_20.tif\nscene_21.tif\nscene_22.tif\nscene_23.tif'
    assert manifest['sha256']['test'] == hashlib.sha256(test_files.encode()).hexdigest()
    assert f'test: 4 images, sha256 {manifest["sha256"]["test"]}' in capsys.readouterr().out
    for split in ('train', 'val', 'test', 'trainval'):
        by_manifest = build('RSITMD', tmp_path, split, split_manifest=str(out))
        by_convention = build('RSITMD', tmp_path, split, split_convention='pir', split_seed=5)
        assert names(by_manifest) == names(by_convention)


def test_make_split_reads_precomp_and_says_what_is_wrong(tmp_path, make_split, capsys):
    write_precomp(tmp_path, train=10, test=2)
    out = tmp_path / 'manifest.json'
    assert make_split([str(tmp_path), '--convention', 'galr', '--out', str(out)]) == 0
    assert json.loads(out.read_text())['sizes'] == dict(test=2, train=8, val=2)
    assert make_split([str(tmp_path / 'none.json'), '--out', str(out)]) == 2
    assert make_split([str(tmp_path), '--out', str(out / 'below_a_file')]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(errors) == 2 and 'none.json does not exist' in errors[0] and 'cannot be written' in errors[1]
    for arguments in (['--seed', '-1'], ['--val-fraction', '1'], ['--convention', 'gac']):
        assert make_split([str(tmp_path), '--out', str(out), *arguments]) == 2


def edit(change):
    manifest = make_manifest(records_of(train=4, val=2, test=2), convention='official', seed=0)
    change(manifest)
    return manifest


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (edit(lambda m: m['files']['train'].pop()), r"the list 'train' \(3 files\) is not the one that was hashed"),
        (
            edit(lambda m: m['files']['val'].append('9.jpg')),
            r"the list 'val' \(3 files\) is not the one that was hashed",
        ),
        (edit(lambda m: m['sha256'].pop('test')), "the list 'test'"),
        (edit(lambda m: m['sizes'].update(test=3)), "the list 'test'"),
        (edit(lambda m: m.pop('files')), 'lacks files, sha256 or sizes'),
        (edit(lambda m: m.update(files=[])), 'lacks files, sha256 or sizes'),
        (edit(lambda m: m['files'].update(train='0.jpg')), r"files\['train'\] must be a list of file names"),
        (edit(lambda m: m['files'].update(train=[1])), r"files\['train'\] must be a list of file names"),
        (edit(lambda m: m['files'].update(train=['\ud800'])), 'is not the one that was hashed'),
        ([], 'lacks files, sha256 or sizes'),
        (
            make_manifest(records_of(a=1) + records_of(b=1), convention='official', seed=0),
            'lists 1 files twice, first 0',
        ),
    ],
)
def test_damaged_manifests(tmp_path, content, message):
    path = tmp_path / 'manifest.json'
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message) as raised:
        read_manifest(path)
    assert '\n' not in str(raised.value)


def test_a_manifest_of_another_set(tmp_path):
    write_dataset(tmp_path, 'RSICD', train=4, val=2, test=2)
    path = tmp_path / 'manifest.json'
    files = [f'scene_{i}.jpg' for i in range(8)]

    def write(filenames):
        records = [ImageRecord(i, n, 'train', ('a',), (i,)) for i, n in enumerate(filenames)]
        path.write_text(json.dumps(make_manifest(records, convention='official', seed=0)))

    write([*files, 'new.jpg'])
    with pytest.raises(DataError, match='lists 1 files that annotation file .* does not have, first new.jpg; it was'):
        build('RSICD', tmp_path, 'train', split_manifest=str(path))
    write(files[1:])
    with pytest.raises(DataError, match='lacks 1 files of annotation file .*, first scene_0.jpg'):
        build('RSICD', tmp_path, 'train', split_manifest=str(path))
    write(files)
    assert len(build('RSICD', tmp_path, 'train', split_manifest=str(path))) == 8
    with pytest.raises(DataError, match='nowhere.json does not exist'):
        build('RSICD', tmp_path, 'train', split_manifest=str(tmp_path / 'nowhere.json'))


def test_shipped_manifest():
    files = read_manifest(Path('ucm_captions'))
    assert {split: len(listed) for split, listed in files.items()} == dict(train=1680, val=210, test=210)
    assert sorted(int(Path(n).stem) for listed in files.values() for n in listed) == list(range(1, 2101))


def test_exclude_list(tmp_path, monkeypatch):
    log = []
    monkeypatch.setattr(
        'osdpm_plugin.datasets.annotations.exclude_list.print_log',
        lambda message, logger: log.append(message),
    )
    write_dataset(tmp_path, 'RSICD', train=4, val=2, test=2)
    listed = tmp_path / 'exclude.json'
    excluded = ['scene_1.jpg', 'scene_7.jpg', 'elsewhere.jpg']
    for content in (excluded, dict(exclude=excluded, reason='near duplicates')):
        listed.write_text(json.dumps(content))
        train = build('RSICD', tmp_path, 'train', exclude_list=str(listed))
        assert [train.get_data_info(i)['image_id'] for i in range(3)] == [0, 2, 3] and len(train) == 3
        assert log[-1] == f'{listed}: left out 1 of 4 images of the split; 1 names are not in the set'
    assert len(build('RSICD', tmp_path, 'test', exclude_list=str(listed))) == 1
    assert len(build('RSICD', tmp_path, 'val', exclude_list=str(listed))) == 2
    listed.write_text('[]')
    assert len(build('RSICD', tmp_path, 'train', exclude_list=str(listed))) == 4


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('["x.jpg", "y.jpg"]', 'none of its 2 file names is in annotation file .*, first x.jpg, y.jpg; it belongs'),
        ('{"names": []}', 'must be a JSON list of file names'),
        ('[1]', 'must be a JSON list of file names'),
        ('[', 'is not JSON'),
        ('["scene_0.jpg", "scene_1.jpg"]', "leaves no image in split 'train'"),
    ],
)
def test_faults_of_exclude_lists(tmp_path, content, message):
    write_dataset(tmp_path, 'RSICD', train=2, val=1, test=1)
    listed = tmp_path / 'exclude.json'
    listed.write_text(content)
    with pytest.raises(DataError, match=message):
        build('RSICD', tmp_path, 'train', exclude_list=str(listed))


@pytest.mark.parametrize(
    'options',
    [
        dict(split_convention='gac'),
        dict(split_seed=-1),
        dict(split_manifest='x.json', split_convention='pir'),
    ],
)
def test_arguments_out_of_range(tmp_path, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build('RSICD', tmp_path, 'train', **options)


def test_own_data_without_splits_is_cut_in_three(tmp_path):
    """Named splits stay; val is cut from train where it lacks; two images cannot be cut."""
    records = [r._replace(split='') for r in records_of(train=60)]
    assert sizes_of(apply_convention(records, convention='own', source='x')) == dict(train=48, val=6, test=6)
    assert sizes_of(apply_convention(records[:3], convention='own', source='x')) == dict(train=1, val=1, test=1)
    assert apply_convention(records, convention='own', source='x') == [
        *reversed(apply_convention(records[::-1], convention='own', source='x'))
    ]
    named = records_of(train=10, val=3, test=2)
    assert apply_convention(named, convention='own', source='x') == named
    named = records_of(train=20, test=2)
    assert apply_convention(named, convention='own', source='x') == apply_convention(
        named, convention='official', source='x'
    )
    with pytest.raises(DataError, match='its 2 images cannot be cut into train, val and test'):
        apply_convention(records[:2], convention='own', source='x')
