"""Annotation files as other projects and programs write them: each is read, or refused with the right remedy."""

import codecs
import json

import pytest

from osdpm_plugin.datasets.annotations.read import read_annotations
from osdpm_plugin.errors import DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import write_dataset

PLAIN = [('airport/a.png', '', ('two planes', 'a park, a road')), ('b.png', '', ('a river',))]
SPLIT = [('airport/a.png', 'train', ('two planes', 'a park, a road')), ('b.png', 'test', ('a river',))]


def karpathy(**changes):
    """SPLIT in Karpathy's layout; a change is a function from (file name, split) to a value, None to remove a key."""
    images = []
    for filename, split, captions in SPLIT:
        image = dict(filename=filename, split=split, sentences=[dict(raw=c) for c in captions])
        for key, change in changes.items():
            value = change(filename, split)
            image.pop(key, None) if value is None else image.update({key: value})
        images.append(image)
    return json.dumps(dict(images=images))


COCO = dict(
    images=[dict(id=7, file_name='airport/a.png'), dict(id=3, file_name='b.png')],
    annotations=[
        dict(id=1, image_id=3, caption='a river'),
        dict(id=2, image_id=7, caption='two planes'),
        dict(id=3, image_id=7, caption='a park, a road'),
    ],
)
PIR_TRAIN = [
    dict(image='airport/a.png', caption='two planes', image_id='0', label_name='airport', label=17),
    dict(image='airport/a.png', caption='a park, a road', image_id='0'),
    dict(image='b.png', caption='a river', image_id='1'),
]
PIR_VAL = [
    dict(image='airport/a.png', caption=['two planes', 'a park, a road']),
    dict(image='b.png', caption=['a river']),
]
LINES = '\n'.join(json.dumps(dict(file_name=n, text=t)) for n, _, texts in PLAIN for t in texts)
TOKENS = 'airport/a.png#0\ttwo planes\nairport/a.png#1\ta park, a road\r\nb.png#0\ta river\n'
TABLE = 'filename,caption\nairport/a.png,two planes\nairport/a.png,"a park, a road"\nb.png,a river\n'
TABS = 'filepath\ttitle\nairport/a.png\ttwo planes\nairport/a.png\ta park, a road\nb.png\ta river\n'


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('pir_train.json', json.dumps(PIR_TRAIN)),
        ('pir_val.json', json.dumps(PIR_VAL)),
        ('coco.json', json.dumps(COCO)),
        ('metadata.jsonl', LINES),
        ('lines_called.json', LINES),
        ('list_called.jsonl', json.dumps(PIR_VAL)),
        ('by_name.json', json.dumps({n: list(texts) for n, _, texts in PLAIN})),
        ('karpathy_without_split.json', karpathy(split=lambda *_: None)),
        ('karpathy_called.jsonl', karpathy(split=lambda *_: None)),
        ('open_clip.csv', TABS),
        ('any.tsv', TABS.replace('filepath\ttitle', 'image_path\tdescription')),
        ('called.json.txt', TABS),
        ('semicolons.csv', TABS.replace('\t', ';')),
        ('excel.csv', 'sep=;\r\n' + TABS.replace('\t', ';').replace('\n', '\r\n')),
        ('bars.csv', TABS.replace('\t', '| ').replace('filepath| title', 'image_name| comment')),
        ('metadata.csv', TABLE.replace('filename,caption', 'file_name,text')),
        ('spreadsheet.csv', TABLE.replace('filename,caption', ' File Name ,Caption')),
        ('Flickr8k.token.txt', TOKENS),
        (
            'five.csv',
            'caption_2,image,caption_1,caption_3\n"a park, a road",airport/a.png,two planes,\n,b.png,a river,\n',
        ),
        ('raw.csv', 'filename,raw,raw_1\nairport/a.png,two planes,"a park, a road"\nb.png,a river,\n'),
        ('five.json', json.dumps([dict(image=n, **{f'caption{i}': t for i, t in enumerate(c)}) for n, _, c in PLAIN])),
        ('lists.csv', "filename,captions\nairport/a.png,\"['two planes', 'a park, a road']\"\nb.png,['a river']\n"),
        ('numpy.csv', "filename,captions\nairport/a.png,\"['two planes'\n 'a park, a road']\"\nb.png,['a river']\n"),
        ('json_cell.tsv', 'image\tcaption\nairport/a.png\t["two planes", "a park, a road"]\nb.png\ta river\n'),
    ],
)
def test_layouts_without_splits(tmp_path, name, content):
    path = tmp_path / name
    for encoded in (content.encode(), codecs.BOM_UTF8 + content.encode(), content.encode('utf-16')):
        path.write_bytes(encoded)
        assert [r[1:4] for r in read_annotations(path)] == PLAIN
    path.write_bytes(
        content.replace('airport/a.png', 'airport\\\\a.png' if '{' in content else 'airport\\a.png').encode()
    )
    assert [r[1:4] for r in read_annotations(path)] == PLAIN


@pytest.mark.parametrize(
    'content',
    [
        karpathy(),
        karpathy(filepath=lambda n, _: n.partition('/')[0] if '/' in n else '', filename=lambda n, _: n.split('/')[-1]),
        karpathy(filepath=lambda n, _: f'./{n}', filename=lambda n, _: n.split('/')[-1]),
        karpathy(split=lambda _, split: 'restval' if split == 'train' else 'TEST'),
        json.dumps([dict(file_name=n, text=list(c), split=s) for n, s, c in SPLIT]),
        json.dumps(dict(COCO, images=[dict(i, split=s) for i, s in zip(COCO['images'], ('train', 'test'))])),
    ],
)
def test_layouts_with_splits(tmp_path, content):
    """COCO's `filepath` is the folder of an image, and its `restval` is trained on."""
    path = tmp_path / 'ann.json'
    path.write_text(content)
    assert [r[1:4] for r in read_annotations(path)] == SPLIT


def test_same_name_in_two_folders_is_two_images(tmp_path):
    path = tmp_path / 'dataset_coco.json'
    path.write_text(karpathy(filepath=lambda _, s: f'{s}2014', filename=lambda *_: '1.jpg'))
    assert [r.filename for r in read_annotations(path)] == ['train2014/1.jpg', 'test2014/1.jpg']


def test_image_folder_of_hugging_face(tmp_path):
    """Names are relative to the folder of their metadata, and folders called like splits are splits."""
    for folder, content in (
        ('train', 'file_name,text\nx/1.png,two planes\n'),
        ('validation', 'file_name,text\n1.png,a park\n'),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'metadata.csv').write_text(content)
    (tmp_path / 'test').mkdir()
    (tmp_path / 'test' / 'metadata.jsonl').write_text('{"file_name": "1.png", "text": "a river"}\n')
    assert [r[1:4] for r in read_annotations(tmp_path)] == [
        ('test/1.png', 'test', ('a river',)),
        ('train/x/1.png', 'train', ('two planes',)),
        ('validation/1.png', 'val', ('a park',)),
    ]
    data = DATASETS.build(dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='.', split='val', check='none'))
    assert data.get_data_info(0)['img_path'] == str(tmp_path / 'validation' / '1.png')
    (tmp_path / 'test' / 'metadata.csv').write_text('file_name,text\n1.png,a river\n')
    with pytest.raises(DataError, match='test holds metadata.jsonl and metadata.csv; remove one'):
        read_annotations(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match='holds no metadata.jsonl or metadata.csv; name the annotation file'):
        read_annotations(tmp_path / 'empty')


@pytest.mark.parametrize('name', ['a.csv', 'a.json'])
def test_one_picture_spelled_several_ways_is_one_image(tmp_path, name):
    rows = [
        ('airport/a.jpg', 'one'),
        ('./airport/a.jpg', 'two'),
        ('airport\\a.jpg', 'three'),
        ('airport//./a.jpg', 'four'),
    ]
    path = tmp_path / name
    if name == 'a.csv':
        path.write_text('filename,caption\n' + '\n'.join(map(','.join, rows)))
    else:
        path.write_text(json.dumps([dict(image=n, caption=c) for n, c in rows]))
    assert read_annotations(path) == [(0, 'airport/a.jpg', '', ('one', 'two', 'three', 'four'), (0, 1, 2, 3))]


def test_one_picture_spelled_two_ways_is_named_twice_in_a_layout_of_images(tmp_path):
    path = tmp_path / 'ann.json'
    path.write_text(karpathy(filename=lambda _, split: 'x/a.png' if split == 'train' else 'x\\a.png'))
    with pytest.raises(DataError, match="names 'x/a.png' twice; keep one entry for each image"):
        read_annotations(path)


def test_absolute_names_in_the_folder_of_images(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=2, val=0, test=0)
    images = tmp_path / 'images'
    for start in (f'{images}/', 'C:\\Users\\me\\photos\\', '/data/me/photos/', '\\\\server\\share\\photos\\'):
        names = [f'{start}scene_{i}.png' for i in range(2)] + ['scene_0.png']
        (tmp_path / 'a.csv').write_text('filename;caption\n' + '\n'.join(f'{n};a park' for n in names))
        data = DATASETS.build(
            dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='a.csv', image_dir='images', split=None)
        )
        assert [data.get_data_info(i)['img_path'] for i in range(2)] == [
            str(images / f'scene_{i}.png') for i in range(2)
        ]
        assert data.get_data_info(0)['captions'] == ['a park', 'a park']


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('gb.csv', 'filename,caption\na.png,一个公园\n'.encode('gb18030'), 'is GB18030 .*iconv -f GB18030 -t UTF-8'),
        (
            'latin.csv',
            'filename,caption\na.png,un café\n'.encode('latin-1'),
            'not UTF-8, write it again as UTF-8 .*CSV UTF-8',
        ),
        ('a.csv', b'PK\x03\x04\x14\0\x9e', 'is an Excel workbook .*save the table as "CSV UTF-8"'),
        ('a.parquet', b'PAR1\x15\xff', 'is a Parquet file; write it as a table with pandas'),
        ('a.jsonl.gz', b'\x1f\x8b\x08\0', 'is compressed by gzip; unpack it with gunzip'),
        ('a.tar', b'a.jpg'.ljust(257, b'\0') + b'ustar\0\xff\xd8', 'is a tar archive .*unpack it and write one table'),
        ('a.csv', 'a.png,a park\nb.png,a river\n', 'the first line is an image already; write filename,caption'),
        ('a.tsv', 'a.png\ta park\n', 'lacks the column filename and caption; it has a.png, a park'),
        (
            'a.csv',
            'path,file,caption\na,b,c\n',
            'has path and file, each of which may be the filename; rename the right',
        ),
        (
            'a.csv',
            'image,text,title\na,b,c\n',
            'has text and title, each of which may be the caption; rename the right',
        ),
        ('a.csv', 'image,caption,captions\na,b,c\n', 'has caption and captions; remove or rename one'),
        ('a.csv', 'File,FILE,caption\na,b,c\n', 'has the column file twice'),
        (
            'a.csv',
            "image,captions\na.png,\"['a park', 'a\"\n",
            r"line 2: \['a park', 'a begins like a list .* put the whole list",
        ),
        ('a.csv', 'image,captions\na.png,[]\n', "image 'a.png' has no caption"),
        ('a.csv', 'image,caption_1,caption_2\na.png,,\n', "captions of 'a.png' are blank"),
        (
            'a.tsv',
            'image\tcaption\na.png\tone\ttwo\n',
            'has 3 fields, the first line has 2; put captions that hold a tab',
        ),
        ('a.csv', 'image,caption\nhttps://x.org/a.png,b\n', 'has the address .*download the images and name the files'),
        (
            'a.csv',
            'image,caption\nD:\\x\\a.png,b\n',
            'names must be relative to the folder of images, or begin with it',
        ),
        ('a.csv', 'image,caption\n.,b\n', 'which is no file name'),
        ('a.txt', 'a.png#0\tone\nb.png two\n', 'line 2 is not like the first, FILE#NUMBER, a tab and a caption'),
        (
            'a.json',
            dict(COCO, annotations=[dict(image_id=7, bbox=[0, 0, 1, 1])]),
            r"annotations\[0\] lacks the key 'caption'",
        ),
        (
            'a.json',
            dict(COCO, annotations=[dict(image_id=9, caption='x')]),
            r"\['image_id'\] is '9', which no image has",
        ),
        (
            'a.json',
            dict(COCO, images=[*COCO['images'], dict(id=3, file_name='c')]),
            r"images\[2\] has the id '3' of an image",
        ),
        ('a.json', dict(COCO, annotations=COCO['annotations'][:1]), "image 'airport/a.png' has no caption"),
        ('a.json', {'a.png': [1]}, "'a.png' lacks a list of texts"),
        ('a.json', [dict(image='a.png', caption=None)], r'\[0\] lacks a list of texts'),
        ('a.json', dict(exclude=['a.jpg']), 'expected the layout of NWPU-Captions'),
    ],
)
def test_refused_with_a_remedy(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    with pytest.raises(DataError, match=message) as raised:
        read_annotations(path)
    assert name in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.parametrize(
    ('text', 'captions'),
    [
        ('[a park] beside a road', ('[a park] beside a road',)),
        ("['it\\'s a park' \"the city's road\"]", ("it's a park", "the city's road")),
        ('["caf\\u00e9", "a\\/b"]', ('café', 'a/b')),
        ("['a'" + " \n 'b'" * 40 + ']', ('a', *'b' * 40)),
    ],
)
def test_lists_in_a_cell(tmp_path, text, captions):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps([dict(image='a.png', caption=text)]))
    assert read_annotations(path)[0].captions == captions
