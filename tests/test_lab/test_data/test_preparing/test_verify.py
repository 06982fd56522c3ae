"""What is reported as wrong, and what is only noted."""

from __future__ import annotations

import dataclasses

import pytest

from osdpm_plugin.lab.data.preparing import verify
from tests.helpers.generated_data import edit_annotation
from tests.helpers.published_sets import small, snapshot, write


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / 'UCM_captions')


def test_counts(source):
    assert verify(small(), source).wrong == []
    edit_annotation(source / 'dataset.json', list.pop)
    report = verify(small(), source)
    assert report.wrong == [
        'the annotation file names 23 images, UCM-Captions has 24',
        "split 'test' has 5 images, UCM-Captions has 6",
    ]
    assert report.extra == ['scene_23.tif']
    edit_annotation(source / 'dataset.json', lambda images: images[0]['sentences'].pop())
    edit_annotation(source / 'dataset.json', lambda images: images[1].update(split='other'))
    wrong = verify(small(), source).wrong
    assert wrong[0] == '1 images do not have 5 captions: scene_0.tif'
    assert wrong[2:] == [
        "split 'train' has 11 images, UCM-Captions has 12",
        "split 'test' has 5 images, UCM-Captions has 6",
        "UCM-Captions has no split 'other'",
    ]


@pytest.mark.parametrize('key', ['ucm', 'rsicd'])
def test_blank_captions(tmp_path, key):
    root = write(tmp_path / 'set', key)
    published = small(key)

    def blank(images):
        for image, caption in ((2, 0), (2, 4), (7, 1)):
            images[image]['sentences'][caption]['raw'] = ' . '

    edit_annotation(root / published.facts.ann_file, blank)
    report = verify(published, root)
    assert (len(report.blank), report.captions) == (3, 117)
    sentence = '3 captions are blank, of scene_2.'
    if key == 'ucm':
        assert len(report.wrong) == 1 and report.wrong[0].startswith(sentence)
    else:  # its published file has such
        assert report.wrong == [] and report.notes[0].startswith(sentence)


def test_images_that_are_missing_broken_or_extra(source):
    (source / 'imgs' / 'scene_1.tif').unlink()
    (source / 'imgs' / 'scene_5.tif').write_bytes((source / 'imgs' / 'scene_5.tif').read_bytes()[:200])
    (source / 'imgs' / 'scene_6.tif').write_bytes(b'')
    (source / 'imgs' / 'scene_7.tif').rename(source / 'imgs' / 'scene_7.jpg')
    (source / 'imgs' / 'Thumbs.db').write_bytes(b'')
    before = snapshot(source)
    report = verify(small(), source)
    assert snapshot(source) == before
    assert report.missing == ['scene_1.tif', 'scene_7.tif']
    assert report.broken == ['scene_5.tif', 'scene_6.tif']
    assert report.extra == ['scene_7.jpg']
    assert report.wrong == [
        f'2 of 24 images are missing in {source / "imgs"}: scene_1.tif, scene_7.tif; for scene_7.tif there is '
        'scene_7.jpg: rename the images or take the other version',
        '2 of 22 images cannot be decoded: scene_5.tif, scene_6.tif; delete these files and run again with --from',
    ]
    assert all(sentence in report.format() for sentence in report.wrong)


def test_smaller_copy_is_noted(source):
    published = small()
    published = dataclasses.replace(published, facts=dataclasses.replace(published.facts, edge=256))
    report = verify(published, source)
    assert report.complete
    assert report.notes == ['images are 16 px, those of UCM-Captions 256 px; results will not compare']
