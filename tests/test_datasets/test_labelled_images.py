"""Images with labels: every way in which labels are written, hand-worked, and the categories that they become."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.datasets import RSICD, LabelledImageDataset, SydneyCaptions, UCMCaptions
from osdpm_plugin.datasets.annotations.labels_in_names import label_rule
from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.datasets.lexicon.label_names import categories_of_labels
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.generated_data import class_name, write_dataset

COUNTS = [('a.png', {'plane': 2.0, 'storage tank': 1.0}), ('b.png', {'quarry': 1.0}), ('c.png', {})]

CORNERS = '1 2 3 4 5 6 7 8'


def write_images(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)


def found(root, **options):
    """File name and labels of each item, in order; all of them without captions."""
    data = LabelledImageDataset(data_root=str(root), **options)
    assert all(item['captions'] == item['caption_ids'] == [] for item in data)
    assert [item['image_id'] for item in data] == sorted({item['image_id'] for item in data})
    images = data.images
    return [(item['img_path'].removeprefix(f'{images}/'), item['labels']) for item in data]


def test_class_folders_and_splits(tmp_path):
    write_images(tmp_path, 'train/Airport/1.png', 'train/StorageTanks/1.png', 'validation/Airport/2.jpg')
    assert found(tmp_path, split='train') == [
        ('train/Airport/1.png', {'airport': 1.0}),
        ('train/StorageTanks/1.png', {'storage tank': 1.0}),
    ]
    assert found(tmp_path, split='val') == [('validation/Airport/2.jpg', {'airport': 1.0})]
    with pytest.raises(DataError, match=r"no image in split 'test'; it has 'train' \(2 images\), 'val' \(1 images\)"):
        found(tmp_path, split='test')


@pytest.mark.parametrize(
    ('rule', 'names'),
    [
        ('name', ('airport_12.png', 'storage_tanks 3.png')),
        ('(?P<label>[a-z]+)-', ('1/airport-x.png', 'quarry-1.png')),
    ],
)
def test_labels_in_file_names(tmp_path, rule, names):
    write_images(tmp_path, *names)
    second = {'name': 'storage tank'}.get(rule, 'quarry')
    assert [labels for _, labels in found(tmp_path, labels=rule)] == [{'airport': 1.0}, {second: 1.0}]


def test_own_splits_are_cut_by_the_hash_of_names(tmp_path):
    write_images(tmp_path, *(f'{name}_{i}.png' for name in ('pond', 'park') for i in range(10)))
    parts = [
        {name for name, _ in found(tmp_path, labels='name', split=split, split_convention='own')}
        for split in ('train', 'val', 'test')
    ]
    assert [len(part) for part in parts] == [16, 2, 2] and len(set.union(*parts)) == 20


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('rows.csv', 'filename,label\na.png,airplane\na.png,airplane\na.png,storage_tank\nb.png,quarry\nc.png,\n'),
        ('cells.csv', 'image;labels\na.png;plane|storage-tank|plane\nb.png;quarry\nc.png;\n'),
        ('lists.csv', "image\tclasses\na.png\t['plane', 'plane', 'StorageTank']\nb.png\tquarry\nc.png\t[]\n"),
        ('columns.csv', 'IMAGE\\LABEL,airplane,storage tanks,quarry\na.png,2,1,0\nb.png,0,0,1\nc.png,0,0,0\n'),
        ('names.json', '{"a.png": {"plane": 2, "storage tank": 1}, "b.png": "quarry", "c.png": []}'),
        (
            'objects.json',
            '[{"file_name": "a.png", "labels": ["plane", "plane", "storage tank"]}, '
            '{"file_name": "b.png", "label": "quarry"}, {"file_name": "c.png", "label": ""}]',
        ),
        ('lines.jsonl', '{"image": "a.png", "objects": ["plane", "plane", "storage tank"]}\n{"image": "b.png", '
         '"objects": "quarry"}\n{"image": "c.png", "objects": []}\n'),
        (
            'coco.json',
            json.dumps(
                dict(
                    images=[dict(id=i, file_name=f'{name}.png') for i, name in enumerate('abc')],
                    categories=[dict(id=5, name='plane'), dict(id=9, name='storage-tank'), dict(id=2, name='quarry')],
                    annotations=[
                        dict(image_id=image, category_id=category, bbox=[0, 0, 1, 1])
                        for image, category in ((0, 5), (0, 9), (0, 5), (1, 2))
                    ],
                )
            ),
        ),
    ],
)  # fmt: skip
def test_files_of_labels(tmp_path, file, content):
    write_images(tmp_path, 'a.png', 'b.png', 'c.png')
    (tmp_path / file).write_text(content)
    assert found(tmp_path, ann_file=file) == COUNTS


@pytest.mark.parametrize(
    ('names', 'lines'),
    [
        (
            dict(name='classes.txt', text='quarry\nplane\nstorage-tank\n'),
            '1 .5 .5 .1 .1\n2 .1 .1 .1 .1\n1 .2 .2 .1 .1\n',
        ),
        (
            dict(name='data.yaml', text='names: {0: quarry, 1: plane, 2: storage tank}'),
            '1 0 0 0 1 1 1\n1 0 0 1 1\n2 0 0 1 1',
        ),
        (None, f'imagesource:GoogleEarth\ngsd:0.1\n{CORNERS} plane 0\n{CORNERS} plane 1\n{CORNERS} storage-tank 0\n'),
    ],
    ids=['yolo', 'yolo of polygons and boxes', 'dota'],
)
def test_folders_of_boxes(tmp_path, names, lines):
    write_images(tmp_path / 'images', 'a.png', 'b.png', 'c.png')
    boxes = tmp_path / 'labels'
    boxes.mkdir()
    (boxes / 'a.txt').write_text(lines)
    (boxes / 'b.txt').write_text('0 .5 .5 .1 .1' if names else f'{CORNERS} quarry 1')
    if names:
        (boxes / names['name']).write_text(names['text'])
    assert found(tmp_path, ann_file='labels', image_dir='images') == COUNTS


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('0 .5 .5 .1 .1', 'line 1 has the class 0; name the classes in'),
        ('a b c', 'line 1 is no box; write "class x y width height"'),
    ],
)
def test_boxes_that_cannot_be_read(tmp_path, content, sentence):
    write_images(tmp_path / 'images', 'a.png')
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / 'a.txt').write_text(content)
    with pytest.raises(DataError, match=sentence):
        found(tmp_path, ann_file='labels', image_dir='images')


@pytest.mark.parametrize(
    ('options', 'error', 'sentence'),
    [
        (dict(labels='(?P<label>['), ConfigError, 'is no regular expression'),
        (dict(labels='[a-z]+'), ConfigError, "with a group 'label'"),
        (dict(labels='own'), ConfigError, 'is for published sets'),
        (dict(labels='(?P<label>pond)'), DataError, '1 of 1 names have no label by labels='),
        (dict(ann_file='gone.csv'), DataError, 'the file of labels .*gone.csv does not exist'),
        (dict(ann_file='bad.csv'), DataError, 'line 2 has no label, and its other values are no numbers'),
        (dict(ann_file='bad.json'), DataError, 'is not JSON'),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, options, error, sentence):
    write_images(tmp_path, 'airport_1.png')
    (tmp_path / 'bad.csv').write_text('filename,colour\nairport_1.png,red\n')
    (tmp_path / 'bad.json').write_text('{"a')
    with pytest.raises(error, match=sentence):
        found(tmp_path, **options)


def test_images_are_checked_at_start_up(tmp_path):
    write_images(tmp_path, 'airport_1.png')
    (tmp_path / 'pond_1.png').write_bytes(b'no image')
    with pytest.raises(DataError, match='1 of 2 images cannot be decoded, first .*pond_1.png'):
        found(tmp_path, labels='name')


def test_categories_of_published_scene_sets():
    lexicon = Lexicon.default()
    rsicd = categories_of_labels(RSICD.FACTS.class_names, lexicon)
    assert len(set(rsicd.values())) == 30 and sum(name in lexicon.categories for name in rsicd.values()) == 27
    assert {rsicd[f'{kind}residential'] for kind in ('dense', 'medium', 'sparse')} == {
        f'{kind} residential area' for kind in ('dense', 'medium', 'sparse')
    }
    ucm = categories_of_labels(UCMCaptions.FACTS.class_names, lexicon)
    assert len(set(ucm.values())) == 21 and (ucm['agricultural'], ucm['freeway']) == ('farmland', 'highway')
    assert lexicon.prompts(names=['dense residential area', 'farmland', 'airport']) == [
        'a remote sensing image of a dense residential area',
        'a remote sensing image of farmland',
        'a remote sensing image of an airport',
    ]


def test_english_labels_find_chinese_categories():
    chinese = Lexicon.from_file('remote_sensing_zh')
    assert categories_of_labels(['Airport', 'quarry'], chinese) == {'Airport': '机场', 'quarry': 'quarry'}


@pytest.mark.parametrize(('kind', 'first'), [('RSICD', ['airport', 'pond']), ('UCMCaptions', ['farmland', 'plane'])])
def test_captioned_sets_have_labels_where_they_are_asked_for(tmp_path, kind, first):
    write_dataset(tmp_path, kind, stem=class_name(kind))
    cls = dict(RSICD=RSICD, UCMCaptions=UCMCaptions)[kind]
    data = cls(data_root=str(tmp_path), split='train', labels='own')
    assert [data[i]['labels'] for i in range(2)] == [{name: 1.0} for name in first]
    assert all('labels' not in item for item in cls(data_root=str(tmp_path), split='train'))
    assert [label_rule('name')(name) for name in ('00610.jpg', 'port_3.jpg')] == [None, 'port']


def test_sets_without_a_rule_say_so(tmp_path):
    write_dataset(tmp_path, 'SydneyCaptions')
    with pytest.raises(ConfigError, match="labels='own' is not known for Sydney-Captions; write labels='name'"):
        SydneyCaptions(data_root=str(tmp_path), split='train', labels='own')


def test_numbers_of_uc_merced(tmp_path):
    """Image n of 1 to 2100 is of class ceil(n / 100), which its captions confirm: 101 is an airplane."""
    write_dataset(tmp_path, 'UCMCaptions', stem=class_name('UCMCaptions'))
    data = UCMCaptions(data_root=str(tmp_path), split='train')
    numbers = ('1', '100', '101', '2001', '2100', '0', '2101', 'scene_1')
    assert [data.own_label(f'{number}.tif') for number in numbers] == [
        *('agricultural', 'agricultural', 'airplane', 'tenniscourt', 'tenniscourt', None, None, None)
    ]
