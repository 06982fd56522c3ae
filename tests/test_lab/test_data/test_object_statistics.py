"""How often captions name each object category: by hand, and by the command."""

from __future__ import annotations

import json

import pytest

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.lab.data.object_statistics import format_statistics, object_statistics
from tests.helpers.tools import run_tool_here


@pytest.fixture
def small():
    return Lexicon({'car': ['automobile'], 'parking lot': ['car park'], 'park': []})


IMAGES = [['a car', 'a car', 'cars in a park'], ['a park', 'the gizmo and the gadget'], ['a gizmo']]


def test_statistics_hand_worked(small):
    statistics = object_statistics(IMAGES, small)
    assert statistics.categories == ('car', 'parking lot', 'park')
    assert statistics.images.tolist() == [1, 0, 2]
    assert statistics.captions.tolist() == [3, 0, 2]
    assert statistics.distinct_captions.tolist() == [2, 0, 2]
    assert statistics.cooccurrence.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 2]]
    assert (statistics.num_images, statistics.num_captions) == (3, 6)
    assert (statistics.num_covered_images, statistics.num_covered_captions) == (2, 4)
    assert statistics.image_coverage == pytest.approx(200 / 3)
    assert statistics.caption_coverage == pytest.approx(200 / 3)
    assert statistics.uncovered_words == (('gizmo', 2), ('gadget', 1))
    assert statistics.top_pairs(5) == [('car', 'park', 1)]
    assert object_statistics(IMAGES, small, max_uncovered_words=1).uncovered_words == (('gizmo', 2),)
    assert json.loads(json.dumps(statistics.as_dict()))['categories']['park'] == dict(
        images=2, captions=2, distinct_captions=2
    )
    report = format_statistics(statistics, top=1)
    assert 'images with an object: 2 of 3 (66.67 %)' in report
    assert 'car + park: 1' in report
    assert 'gizmo 2, gadget 1' in report
    assert report.splitlines()[1].split() == ['park', '2', '2', '2']
    assert report.splitlines()[2] == ''


def test_statistics_of_nothing(small):
    statistics = object_statistics([], small)
    assert statistics.images.tolist() == [0, 0, 0]
    assert statistics.cooccurrence.shape == (3, 3)
    assert statistics.image_coverage == statistics.caption_coverage == 0
    assert 'images with an object: 0 of 0' in format_statistics(statistics)


def count(*arguments):
    return run_tool_here('object_stats.py', *arguments)


@pytest.fixture
def ann_file(tmp_path):
    images = [
        dict(filename=f'{i}.jpg', split='train', sentences=[dict(raw=raw) for raw in captions])
        for i, captions in enumerate(IMAGES)
    ]
    images.append(dict(filename='t.jpg', split='test', sentences=[dict(raw='a bridge')]))
    path = tmp_path / 'dataset.json'
    path.write_text(json.dumps(dict(images=images)))
    return path


def test_tool_prints_and_writes(ann_file, tmp_path, capsys):
    out = tmp_path / 'out.json'
    assert count(ann_file, '--json', out) == 0
    printed = capsys.readouterr().out
    assert 'images with an object: 2 of 3' in printed
    assert 'bridge' not in printed
    written = json.loads(out.read_text())
    assert written['categories']['car'] == dict(images=1, captions=3, distinct_captions=2)
    assert written['categories']['bridge']['captions'] == 0
    assert written['lexicon_digest'] == Lexicon.default().digest

    lexicon = tmp_path / 'mine.json'
    lexicon.write_text('{"categories": {"gizmo": [], "bridge": []}}')
    assert count(ann_file, '--split', 'test', '--lexicon', lexicon, '--top', 1) == 0
    assert 'images with an object: 1 of 1 (100.00 %)' in capsys.readouterr().out


def test_tool_counts_own_tables_and_precomp(tmp_path, capsys):
    table = tmp_path / 'own.csv'
    table.write_text('filename,caption\na.jpg,a bridge\nb.jpg,nothing\n')
    assert count(table, '--split', '') == 0
    assert 'images with an object: 1 of 2' in capsys.readouterr().out
    assert count(table) == 2
    assert "no image in the split 'train'; it names no splits: give --split ''" in capsys.readouterr().err
    (tmp_path / 'train_caps.txt').write_text('a bridge\n' * 5)
    (tmp_path / 'train_filename.txt').write_text('a.jpg\n' * 5)
    assert count(tmp_path) == 0
    assert 'images with an object: 1 of 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda tmp, ann: [tmp / 'none.json'], 'does not exist'),
        (lambda tmp, ann: [ann, '--split', 'val'], "choose --split from 'test', 'train'"),
        (lambda tmp, ann: [ann, '--lexicon', tmp / 'none.json'], 'lexicon file'),
        (lambda tmp, ann: [ann, '--json', ann / 'out.json'], 'cannot be written'),
        (lambda tmp, ann: [ann, '--top', 0], '--top must be a whole number of at least 1, got 0'),
    ],
)
def test_tool_bad_input(ann_file, tmp_path, capsys, make, message):
    assert count(*make(tmp_path, ann_file)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
