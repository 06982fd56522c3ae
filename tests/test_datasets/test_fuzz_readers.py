"""Whatever is in an annotation file, a reader returns checked records or raises one sentence that names the file."""

import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osdpm_plugin.datasets.annotations.exclude_list import read_exclude_list
from osdpm_plugin.datasets.annotations.karpathy import read_karpathy_json
from osdpm_plugin.datasets.annotations.nwpu import read_nwpu_json
from osdpm_plugin.datasets.annotations.read import read_annotations
from osdpm_plugin.datasets.annotations.records import ImageRecord
from osdpm_plugin.datasets.annotations.split_lists import apply_manifest
from osdpm_plugin.datasets.annotations.split_manifest import make_manifest, read_manifest
from osdpm_plugin.datasets.sets.precomp_captions import read_precomp
from osdpm_plugin.errors import DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.fuzzing import FUZZED, SEEDS, at_most

KARPATHY = dict(
    dataset='x',
    images=[
        dict(
            filename='a.jpg', imgid=0, split='train', sentences=[dict(raw='two planes', sentid=0), dict(raw='a park')]
        ),
        dict(filename='b.jpg', imgid=1, split='val', sentences=[dict(raw='a river', tokens=['a', 'river'])]),
        dict(filename='c.jpg', imgid=2, split='test', sentences=[dict(raw='trees')]),
    ],
)
CAPTIONS = dict(raw='a', raw_1='b', raw_2='c', raw_3='d', raw_4='e')
NWPU = dict(
    airplane=[dict(filename='a_1.jpg', split='train', **CAPTIONS), dict(filename='a_2.jpg', split='test', **CAPTIONS)],
    sea_ice=[dict(filename='s_1.jpg', split='val', **CAPTIONS)],
)
ROWS = [
    dict(filename='a.png', captions=['two planes', 'a park'], split='train'),
    dict(image='b.png', caption='a river', split='test'),
]
COCO = dict(
    info={},
    images=[dict(id=1, file_name='a.jpg', split='train', width=5), dict(id=2, file_name='b.jpg', split='test')],
    annotations=[dict(id=i, image_id=k, caption=c) for i, k, c in ((5, 2, 'a river'), (6, 1, 'a park'), (7, 1, 'x'))],
)
PIR = [dict(image='val/a.tif', caption=['two planes', 'a park'], label=3), dict(image='val/b.tif', caption=['a river'])]
BY_NAME = {'a.jpg': ['two planes', 'a park'], 'b.jpg': ['a river']}
NUMBERED = [dict(file_name='a.jpg', caption_1='one', caption_2='two'), dict(file_name='b.jpg', caption_1='three')]
TREES = dict(
    karpathy=KARPATHY, nwpu=NWPU, rows=ROWS, lines=ROWS, coco=COCO, pir=PIR, by_name=BY_NAME, numbered=NUMBERED
)
TOKENS = b'a.jpg#0\ttwo planes\na.jpg#1\ta park\nb.jpg#0\ta river\n'
TABS = b'filepath\ttitle\na.png\ttwo planes\na.png\t"a park"\n.\\b.png\ta river\n'
LISTS = b'filename;captions;split\na.png;"[\'two planes\', \'a park\']";train\nb.png;"[""a river""]";test\n'
FIVE = b'image,caption_1,caption_2,caption_3\na.png,two planes,a park,\n./b.png,a river,,\n'
CSV = b'filename,caption,split,area\na.png,two planes,train,3\na.png,"a park, a road",train,\nb.png,a river,test,7\n'
VALUES = [
    None,
    True,
    -1,
    1e400,
    10**30,
    '',
    ' ',
    'train',
    '../x',
    '/x',
    'a\0',
    'a \ud800',
    '\n',
    'é',
    [],
    {},
    [1],
    {'raw': 1},
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


def places(node, path=()):
    """Paths to every value of a JSON tree."""
    yield path
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield from places(node[key], (*path, key))


def mutate_tree(tree, seed):
    """Drop, replace, duplicate, rename or swap some values."""
    rng = random.Random(seed)
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(list(places(tree)))
        value = copy.deepcopy(rng.choice(VALUES))
        if not path:
            tree = value if rng.random() < 0.2 else tree
            continue
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        key, action = path[-1], rng.choice(['drop', 'replace', 'replace', 'replace', 'duplicate', 'rename', 'swap'])
        if action == 'drop':
            del parent[key]
        elif action == 'replace':
            parent[key] = value
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif action == 'rename':
            parent[str(value)] = parent.pop(key)
        else:
            other = rng.choice(list(parent))
            parent[key], parent[other] = parent[other], parent[key]
    return tree


def mutate_bytes(content, seed):
    """Cut, flip, double, insert or shuffle bytes and lines."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        until = at + rng.randint(1, 12)
        action = rng.choice(['cut', 'flip', 'double', 'insert', 'delete', 'lines'])
        if action == 'cut':
            del data[at:]
        elif action == 'flip':
            data[at] = rng.randrange(256)
        elif action == 'double':
            data[at:at] = data[at:until]
        elif action == 'insert':
            data[at:at] = rng.choice(
                [b'"', b'\0', b',', b'\n', b'\r', b'\xff', b'{', b']', b'\xef\xbb\xbf', b'\xe2\x80\xa8']
            )
        elif action == 'delete':
            del data[at:until]
        else:
            lines = bytes(data).split(b'\n')
            rng.shuffle(lines)
            data = bytearray(b'\n'.join(lines))
    return bytes(data)


def must_read_or_explain(read, path):
    """Run a reader; what it returns keeps the promises of ImageRecord."""
    try:
        records = read(path)
    except DataError as error:
        message = str(error)
        assert path.name in message or str(path.parent) in message, message
        assert len(message) > 20 and '\n' not in message, message
        return None
    assert records and len({r.image_id for r in records}) == len({r.filename for r in records}) == len(records)
    ids = [i for r in records for i in r.caption_ids]
    assert ids == sorted(set(ids))
    for record in records:
        assert record.captions and len(record.captions) == len(record.caption_ids)
        assert all(isinstance(c, str) and c == c.strip() and any(x.isalnum() for x in c) for c in record.captions)
        assert not Path(record.filename).is_absolute() and '..' not in Path(record.filename).parts
        assert '\\' not in record.filename and str(Path(record.filename)) == record.filename
        ''.join([record.filename, record.split, *record.captions]).encode()
    return records


@FUZZED
@given(seed=SEEDS, name=st.sampled_from(sorted(TREES)), drop=st.booleans())
def test_mutated_json_trees(folder, seed, name, drop):
    content = mutate_tree(TREES[name], seed)
    lines = name == 'lines' and isinstance(content, list)
    path = folder / f'tree.{"jsonl" if lines else "json"}'
    path.write_text('\n'.join(map(json.dumps, content)) if lines else json.dumps(content))
    blank = 'drop' if drop else 'raise'
    must_read_or_explain(lambda p: read_annotations(p, blank_captions=blank), path)
    must_read_or_explain(lambda p: read_karpathy_json(p, blank_captions=blank), path)
    must_read_or_explain(lambda p: read_nwpu_json(p, blank_captions=blank), path)


@FUZZED
@given(seed=SEEDS, name=st.sampled_from([*'abcdefghijkl']))
def test_mutated_bytes(folder, seed, name):
    lines = '\n'.join(map(json.dumps, ROWS))
    contents = {
        'a.json': json.dumps(KARPATHY, indent=1).encode(),
        'b.json': json.dumps(NWPU).encode(),
        'c.jsonl': lines.encode(),
        'd.csv': CSV,
        'e.txt': CSV,
        'f.txt': lines.encode(),
        'g.json': json.dumps(COCO).encode(),
        'h.txt': TOKENS,
        'i.tsv': TABS,
        'j.csv': LISTS,
        'k.csv': FIVE,
        'l.csv': CSV.decode().encode('utf-16'),
    }
    file = next(key for key in contents if key[0] == name)
    path = folder / file
    path.write_bytes(mutate_bytes(contents[file], seed))
    must_read_or_explain(read_annotations, path)


CELLS = st.sampled_from(
    [
        'a.png',
        'b.png',
        'train',
        'test',
        '',
        ' ',
        'a park',
        'a, b',
        '"',
        'x"y',
        '../z',
        'é',
        '\0',
        '\n',
        '"a"',
        "['a', 'b']",
        "['a",
        '[]',
        '.\\a.png',
    ]
)


@FUZZED
@given(
    header=st.lists(
        st.sampled_from(
            ['filename', 'image', 'File Name', 'filepath', 'path', 'caption', 'caption_1', 'caption_2', 'captions']
            + ['text', 'title', 'split', 'area', '']
        ),
        min_size=1,
        max_size=5,
    ),
    delimiter=st.sampled_from(',;\t|'),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=5),
)
def test_any_table(folder, header, rows, delimiter):
    path = folder / 'table.csv'
    path.write_text('\n'.join([delimiter.join(header), *map(delimiter.join, rows)]))
    must_read_or_explain(read_annotations, path)


@FUZZED
@given(seed=SEEDS, names_repeat=st.sampled_from([1, 5]), which=st.sampled_from(['caps', 'filename', 'both']))
def test_mutated_precomp(folder, seed, names_repeat, which):
    captions = b''.join(b'caption %d\n' % i for i in range(10))
    names = b''.join(b'%s.jpg\n' % name for name in (b'a', b'b') for _ in range(names_repeat))
    target = folder / 'precomp'
    target.mkdir(exist_ok=True)
    (target / 'test_caps.txt').write_bytes(captions if which == 'filename' else mutate_bytes(captions, seed))
    (target / 'test_filename.txt').write_bytes(names if which == 'caps' else mutate_bytes(names, seed + 1))
    must_read_or_explain(read_precomp, target)


@FUZZED
@given(seed=SEEDS, as_bytes=st.booleans())
def test_mutated_manifests_and_exclude_lists(folder, seed, as_bytes):
    """A manifest that is accepted after a mutation still says the split that was hashed."""
    (folder / 'good.json').write_text(json.dumps(KARPATHY))
    records = read_karpathy_json(folder / 'good.json')
    manifest = make_manifest(records, convention='official', seed=0)
    path = folder / 'manifest.json'
    if as_bytes:
        path.write_bytes(mutate_bytes(json.dumps(manifest).encode(), seed))
    else:
        path.write_text(json.dumps(mutate_tree(manifest, seed)))
    try:
        assert {tuple(sorted(names)) for names in read_manifest(path).values()} <= {('a.jpg',), ('b.jpg',), ('c.jpg',)}
        assert len(apply_manifest(records, path, source='good.json')) == 3
    except DataError as error:
        assert 'manifest.json' in str(error) and '\n' not in str(error)
    path.write_text(json.dumps(mutate_tree(dict(exclude=['a.jpg', 'b.jpg']), seed)))
    try:
        assert all(isinstance(name, str) for name in read_exclude_list(path))
    except DataError as error:
        assert 'manifest.json' in str(error) and '\n' not in str(error)


@FUZZED
@given(seed=SEEDS, name=st.sampled_from(['val.txt', 'val.json', 'train.json']))
def test_mutated_lists_of_images(folder, seed, name):
    """A list that is accepted after a mutation moves no image into or out of test."""
    records = [ImageRecord(i, f'{i}.jpg', 'train' if i < 6 else 'test', ('x',), (i,)) for i in range(8)]
    lists = {
        'val.txt': b'1.jpg\n1.jpg\nval/4.tif\n',
        'val.json': json.dumps(
            [dict(image='val/1.jpg', caption=['a', 'b']), dict(image='4.jpg', caption='c')]
        ).encode(),
        'train.json': json.dumps(['0.jpg', './2.jpg', '3.jpg', '5.jpg']).encode(),
    }
    path = folder / name
    path.write_bytes(lists[name])
    assert [r.image_id for r in apply_manifest(records, str(path), source='x') if r.split == 'val'] == [1, 4]
    path.write_bytes(mutate_bytes(lists[name], seed))
    try:
        cut = apply_manifest(records, str(path), source='x')
    except DataError as error:
        assert name in str(error) and '\n' not in str(error)
        return
    assert [r.image_id for r in cut if r.split == 'test'] == [6, 7] and {r.split for r in cut[:6]} <= {'train', 'val'}


@at_most(0.3)
@given(seed=SEEDS)
def test_whole_data_sets(folder, seed):
    """Beyond the reader: choosing the split and looking for the images fails in no other way either."""
    (folder / 'dataset.json').write_text(json.dumps(mutate_tree(KARPATHY, seed)))
    for options in (dict(split='train', check='none'), dict(split=None, check='decode')):
        try:
            data = DATASETS.build(dict(type='CaptionRetrievalDataset', data_root=str(folder), image_dir='', **options))
            assert len(data) > 0
        except DataError as error:
            assert '\n' not in str(error)


def test_unmutated_files_are_read(folder):
    """The seeds of the mutations are good files, else the tests above would prove little."""
    for name, content in TREES.items():
        (folder / 'good.json').write_text(json.dumps(content))
        count = 3 if name in ('karpathy', 'nwpu') else 2
        assert len(must_read_or_explain(read_annotations, folder / 'good.json')) == count
    for content in (CSV, TABS, LISTS, FIVE, TOKENS, CSV.decode().encode('utf-16')):
        (folder / 'good.csv').write_bytes(content)
        assert len(must_read_or_explain(read_annotations, folder / 'good.csv')) == 2
