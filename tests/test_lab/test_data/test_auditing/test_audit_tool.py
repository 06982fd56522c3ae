"""tools/audit_dataset.py from end to end."""

import json
from pathlib import Path

import pytest

from osdpm_plugin.datasets import RSITMD, CaptionRetrievalDataset
from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.auditing import read_sets
from tests.helpers.generated_data import write_dataset, write_precomp
from tests.helpers.planted_duplicates import jpeg, picture, write_planted, write_set
from tests.helpers.tools import run_tool_here


def run(*args):
    assert run_tool_here('audit_dataset.py', *args) == 0


def report_of(tmp_path, *args):
    run(*args, '--json', tmp_path / 'audit.json')
    return json.loads((tmp_path / 'audit.json').read_text())


def one_sentence(capsys, *args):
    assert run_tool_here('audit_dataset.py', *args) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('error: ')
    return message


def leaks(report, protect=('val', 'test')):
    """Images of train that come again in a protected split."""
    return sum(
        row['near']
        for row in report['images']['overlap']
        if row['images_of'].endswith('/train') and row['found_in'].split('/')[1] in protect
    )


@pytest.fixture
def planted(tmp_path):
    write_planted(tmp_path / 'planted')
    return f'CaptionRetrievalDataset:{tmp_path / "planted"}'


def test_planted_set_by_hand(planted, tmp_path, capsys):
    report = report_of(tmp_path, planted)
    splits = report['sets'][0]['splits']
    assert {s: (v['images'], v['captions'], v['blank_captions']) for s, v in splits.items()} == dict(
        train=(3, 6, 0), val=(1, 1, 1), test=(2, 4, 0)
    )
    assert splits['train']['verbatim'] == dict(
        unique=4, unique_per_image=5 / 3, images_all_identical=1, shared=3, images_all_shared=1
    )
    assert splits['train']['normalised'] == dict(
        unique=3, unique_per_image=4 / 3, images_all_identical=2, shared=3, images_all_shared=1
    )
    overlap = {(r['captions_of'].split('/')[1], r['found_in'].split('/')[1]): r for r in report['caption_overlap']}
    assert overlap['test', 'train']['verbatim'] == dict(occurrences=1, percent=25, images=1)
    assert overlap['val', 'train']['verbatim']['occurrences'] == 0
    assert overlap['val', 'train']['normalised'] == dict(occurrences=1, percent=100, images=1)
    assert overlap['train', 'test']['normalised']['occurrences'] == 2
    images = {
        (r['images_of'].split('/')[1], r['found_in'].split('/')[1]): (r['exact'], r['near'])
        for r in report['images']['overlap']
    }
    assert images['train', 'test'] == (1, 2) and images['train', 'val'] == images['test', 'val'] == (0, 1)
    assert images['train', 'train'] == images['test', 'test'] == (0, 0)
    clusters = [sorted(member['file'] for member in cluster) for cluster in report['images']['clusters']]
    assert clusters == [['planes.png', 'planes_bright.png', 'planes_jpeg.png'], ['park.png', 'park_copy.png']]
    text = capsys.readouterr().out
    assert '## 2 clusters of images' in text
    assert '- exact, 2: CaptionRetrievalDataset/train park.png, CaptionRetrievalDataset/test park_copy.png' in text
    assert 'INFO' not in text


@pytest.mark.parametrize(
    ('options', 'left_out', 'shared'),
    [
        ([], ['park.png', 'planes.png'], 0),
        (['--skip-images', '--captions'], ['park.png'], None),
        (['--captions', 'normalised'], ['park.png', 'planes.png', 'river.png'], None),
        (['--protect', 'val'], ['planes.png'], None),
    ],
)
def test_exclude_list_of_one_set(planted, tmp_path, options, left_out, shared):
    out = tmp_path / 'lists' / 'exclude.json'
    run(planted, '--exclude-out', out, *options)
    content = json.loads(out.read_text())
    assert content['exclude'] == left_out
    assert list(content['reasons']) == left_out
    assert content['images'] == 3
    if shared is not None:
        report = report_of(tmp_path, planted, '--exclude-list', out)
        assert leaks(report) == shared


def test_joint_training_is_leak_free(planted, tmp_path):
    """A second set holds copies of the first one's test and train; lists of both close every way."""
    other = tmp_path / 'other'
    write_set(
        other,
        [
            ('a.png', 'train', jpeg(picture(1)), ['one']),  # of the first set's test
            ('b.png', 'train', picture(7), ['two']),
            ('c.png', 'train', picture(8), ['a lake']),  # caption of the first set's test
            ('d.png', 'val', jpeg(picture(3)), ['four']),  # of the first set's train
            ('e.png', 'test', picture(9), ['five']),
        ],
    )
    specs = [planted, f'RSITMD:{other / "dataset.json"}']
    before = report_of(tmp_path, *specs)
    assert leaks(before) > 0
    run(*specs, '--exclude-out', tmp_path / 'ex.json', '--captions')
    lists = {label: tmp_path / f'ex_{label}.json' for label in ('CaptionRetrievalDataset', 'RSITMD')}
    names = {label: json.loads(path.read_text())['exclude'] for label, path in lists.items()}
    assert names == {'CaptionRetrievalDataset': ['park.png', 'planes.png', 'river.png'], 'RSITMD': ['a.png', 'c.png']}
    lists['CaptionRetrievalDataset'].write_text(json.dumps(['park.png', 'planes.png', 'river.png']))
    after = report_of(tmp_path, *specs, *(f'--exclude-list={label}={path}' for label, path in lists.items()))
    assert leaks(after) == 0
    for row in after['caption_overlap']:
        assert not (row['captions_of'].endswith('train') and row['verbatim']['occurrences'])
    dataset = RSITMD(data_root=str(other), ann_file='dataset.json', split='train', exclude_list=str(lists['RSITMD']))
    assert [Path(item['img_path']).name for item in dataset] == ['b.png']


def test_nothing_to_leave_out_is_an_empty_list_that_data_sets_take(tmp_path):
    root = tmp_path / 'clean'
    write_set(root, [(f'{s}.png', s, picture(i), [f'caption {i}']) for i, s in enumerate(('train', 'val', 'test'))])
    run(f'CaptionRetrievalDataset:{root}', '--exclude-out', tmp_path / 'ex.json', '--captions')
    assert json.loads((tmp_path / 'ex.json').read_text())['exclude'] == []
    assert len(CaptionRetrievalDataset(data_root=str(root), split='train', exclude_list=str(tmp_path / 'ex.json'))) == 1


def test_splits_are_those_of_the_data_set_class(tmp_path):
    write_dataset(tmp_path, 'RSITMD', train=20, val=0, test=3)
    groups = {group.split: group for group in read_sets([f'RSITMD:{tmp_path}'])[0].groups}
    assert list(groups) == ['train', 'val', 'test']
    for split, group in groups.items():
        dataset = RSITMD(data_root=str(tmp_path), split=split, check='none')
        assert [record.image_id for record in group.records] == [item['image_id'] for item in dataset]


def test_own_tables_folders_and_precomp(tmp_path):
    (tmp_path / 'own').mkdir()
    (tmp_path / 'own' / 'list.csv').write_text('filename,caption\na.png,one\na.png,.\nb.png,two\nb.png,three\n')
    write_precomp(tmp_path / 'precomp', train=5, val=0, test=2)
    specs = [str(tmp_path / 'own'), str(tmp_path / 'own' / 'list.csv'), str(tmp_path / 'precomp')]
    sets = read_sets(specs, split_convention='pir')
    assert [one.label for one in sets] == ['own', 'list', 'PrecompCaptions']
    assert [(g.name, len(g.records), g.blank_captions) for g in sets[0].groups] == [('own/all', 2, 1)]
    assert [(g.split, len(g.records)) for g in sets[2].groups] == [('train', 4), ('val', 1), ('test', 2)]
    twice = read_sets(specs[:1] * 2)
    assert [one.label for one in twice] == ['own', 'own-2']
    (tmp_path / 'own' / 'more.json').write_text('[]')
    with pytest.raises(DataError, match='2 files that may be the annotation file'):
        read_sets(specs[:1])


def test_a_set_too_small_to_cut_keeps_its_splits(tmp_path, capsys):
    names = [f'{split}{i}' for split in ('train', 'test') for i in range(4)]
    table = tmp_path / 'own.csv'
    table.write_text('filename,caption,split\n' + ''.join(f'{name}.png,{name},{name[:-1]}\n' for name in names))
    groups = read_sets([str(table)])[0].groups
    assert [(group.name, len(group.records)) for group in groups] == [('own/train', 4), ('own/test', 4)]
    assert 'its 4 train images cannot be cut by val_fraction=0.1' in capsys.readouterr().err


def test_unreadable_images_are_named(planted, tmp_path, capsys):
    (tmp_path / 'planted' / 'images' / 'park.png').write_bytes(b'broken')
    report = report_of(tmp_path, planted)
    assert [Path(item['file']).name for item in report['images']['unreadable']] == ['park.png']
    assert report['images']['read'] == 5
    assert '1 images cannot be read' in capsys.readouterr().out


def test_bad_input_is_one_sentence(planted, tmp_path, capsys):
    assert 'is not a data set of captions' in one_sentence(capsys, f'Nothing:{tmp_path}')
    assert 'does not exist' in one_sentence(capsys, tmp_path / 'absent')
    assert 'does not exist' in one_sentence(capsys, f'RSICD:{tmp_path / "planted"}')
    assert 'SET=VALUE' in one_sentence(capsys, planted, planted, '--image-dir', 'images')
    out = (planted, '--exclude-out', tmp_path / 'ex.json')
    assert "no set has the split 'fit'" in one_sentence(capsys, *out, '--exclude-from', 'fit')
    assert 'nothing to go by' in one_sentence(capsys, *out, '--skip-images')
    for path in (tmp_path / 'planted' / 'images').iterdir():
        path.write_bytes(b'broken')
    assert 'not one of 6 images can be read' in one_sentence(capsys, planted)
    run(planted, '--skip-images')
    assert not (tmp_path / 'ex.json').exists()
    assert '--max-distance must be a whole number from 0 to 63' in one_sentence(capsys, planted, '--max-distance', '65')
