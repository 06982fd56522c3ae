"""Every layout of an annotation file, hand-worked; published sets where they are at hand."""

import json
import logging
import os
from pathlib import Path

import pytest

from osdpm_plugin.datasets import RSICD, UCMCaptions
from osdpm_plugin.datasets.annotations.karpathy import read_karpathy_json
from osdpm_plugin.datasets.annotations.read import read_annotations
from osdpm_plugin.datasets.annotations.split_conventions import apply_convention
from osdpm_plugin.datasets.sets.precomp_captions import read_precomp
from osdpm_plugin.errors import DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import captions_of, write_dataset, write_nwpu, write_precomp

EXPECTED = [
    (0, 'a.png', 'train', ('two planes', 'a park, a road'), (0, 1)),
    (1, 'b.png', 'test', ('a river',), (2,)),
]
ROWS = [
    dict(image='a.png', caption='two planes', split='train', area=3),
    dict(filename='b.png', captions=[' a river '], split='test'),
    dict(filename='a.png', captions=['a park, a road'], split='train'),
]
CSV = 'area,filename,caption,split\n3,a.png,two planes,train\n4,b.png, a river ,test\n,a.png,"a park, a road",train\n\n'


def build(kind, root, **options):
    return DATASETS.build(dict(type=kind, data_root=str(root), check='none', **options))


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.csv', CSV),
        ('bom.csv', b'\xef\xbb\xbf' + CSV.encode()),
        ('windows.csv', CSV.replace('\n', '\r\n')),
        ('a.jsonl', '\n'.join(map(json.dumps, ROWS))),
        ('a.json', json.dumps(ROWS)),
        ('a.txt', '\n\n'.join(map(json.dumps, ROWS)) + '\n'),
        ('b.txt', json.dumps(ROWS)),
        ('c.txt', CSV),
        (
            'karpathy.json',
            json.dumps(
                dict(
                    images=[
                        dict(filename=n, split=s, sentences=[dict(raw=c) for c in captions])
                        for _, n, s, captions, _ in EXPECTED
                    ]
                )
            ),
        ),
    ],
)
def test_own_data_in_any_layout(tmp_path, name, content):
    assert read_annotations(write(tmp_path, name, content)) == EXPECTED


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', '', 'lacks the column filename and caption; it has none'),
        ('a.csv', 'file;words\na;b\n', 'lacks the column caption; it has file, words'),
        ('a.csv', 'image,words\na,b\n', 'lacks the column caption; it has image, words'),
        ('a.csv', 'filename,caption,caption\na,b,c\n', 'has the column caption twice'),
        (
            'a.csv',
            'filename,caption\na.png,a park, a road\n',
            'line 2 has 3 fields, the first line has 2; put captions',
        ),
        ('a.csv', 'filename,caption\na.png,"a park\n', 'is not CSV'),
        ('a.csv', '"two\nlines",caption\n', r"lacks the column filename; it has 'two\\nlines', caption"),
        ('a.csv', 'filename,caption\n', 'lists no images'),
        ('a.csv', 'filename,caption\na.png,\n', "1 of the 1 captions of 'a.png' are blank"),
        ('a.csv', 'filename,caption,split\na.png,x,train\nb.png,y,\n', 'line 2 names a split, line 3 does not'),
        ('a.csv', 'filename,caption,split\na.png,x,train\na.png,y,test\n', "'a.png' into the split 'test', an earlier"),
        ('a.jsonl', '{"filename": "a.png", "caption": "x"}\n{"filename": 3}', "line 2 lacks a text 'filename'"),
        ('a.jsonl', '{"filename": "a.png"}', "line 1 lacks a list of texts 'captions'"),
        ('a.jsonl', '{"filename": "a.png", "captions": "x"}', "line 1 lacks a list of texts 'captions'"),
        ('a.jsonl', '{"filename": "a.png", "caption": "x", "split": 1}', r"line 1\['split'\] must be str, got int"),
        ('a.jsonl', '{"filename"', 'line 1 is not JSON'),
        ('a.jsonl', '[1]', 'line 1 is list, not an object'),
        ('a.json', '[{"filename": "a.png"}]', r'\[0\] lacks a list of texts'),
        ('a.json', '{}', "the top level lacks the key 'images'"),
        ('a.json', '{"beach": [{"filename": "a.jpg"}]}', r"'beach'\[0\] lacks the key 'split'"),
        ('a.json', '{"beach": [{"filename": "a.jpg", "split": "train", "raw": "x"}]}', "lacks the key 'raw_1'"),
        ('a.json', '3', "the top level lacks the key 'images'"),
    ],
)
def test_faults_of_own_data(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as raised:
        read_annotations(write(tmp_path, name, content))
    assert name in str(raised.value) and '\n' not in str(raised.value)


def test_caption_dataset_needs_no_code(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=2, val=1, test=0)
    write(tmp_path, 'plain.csv', 'filename,caption\nimages/scene_1.png,one\nimages/scene_0.png,two\n')
    own = DATASETS.build(dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='plain.csv'))
    assert [own.get_data_info(i)['captions'] for i in range(2)] == [['one'], ['two']]
    assert own.get_data_info(0)['img_path'] == str(tmp_path / 'images' / 'scene_1.png')
    with pytest.raises(DataError, match="no image in split 'train'; it names no splits: set split=None"):
        build('CaptionDataset', tmp_path, ann_file='plain.csv', split='train')
    karpathy = build('CaptionDataset', tmp_path, ann_file='dataset.json', image_dir='images', split='val')
    assert karpathy.get_data_info(0)['captions'] == captions_of(2)


def test_nwpu_layout(tmp_path):
    write_nwpu(tmp_path, train=4, val=2, test=2)
    test = DATASETS.build(dict(type='NWPUCaptions', data_root=str(tmp_path), split='test'))
    item = test.get_data_info(1)
    assert item['captions'] == captions_of(7) and item['image_id'] == 7 and item['caption_ids'] == [35, 36, 37, 38, 39]
    assert item['img_path'] == str(tmp_path / 'NWPU_images' / 'sea_ice' / 'sea_ice_007.jpg')
    assert [len(build('NWPUCaptions', tmp_path, split=s)) for s in ('train', 'val', 'trainval', None)] == [4, 2, 6, 8]
    assert read_annotations(tmp_path / 'dataset_nwpu.json')[7].filename == 'sea_ice/sea_ice_007.jpg'


@pytest.mark.parametrize('repeat', [1, 5])
def test_precomp_layout(tmp_path, repeat):
    """Train names once or five times; five captions in a row are one image's."""
    write_precomp(tmp_path, train=10, test=3, train_names_repeat=repeat)
    records = read_precomp(tmp_path)
    assert [r.filename for r in records] == [f'scene_{i}.png' for i in range(13)]
    assert records[11] == (11, 'scene_11.png', 'test', tuple(captions_of(11)), (55, 56, 57, 58, 59))
    test = DATASETS.build(dict(type='PrecompCaptions', data_root=str(tmp_path), split='test'))
    assert len(test) == 3 and test.get_data_info(0)['img_path'] == str(tmp_path / 'images' / 'scene_10.png')
    assert [len(build('PrecompCaptions', tmp_path, split=s)) for s in ('train', 'val', 'trainval')] == [9, 1, 10]
    assert len(build('PrecompCaptions', tmp_path, split='val', split_convention='pir_sizes')) == 2


def test_precomp_reads_its_own_val_files(tmp_path):
    write_precomp(tmp_path, train=4, val=2, test=1)
    assert [len(build('PrecompCaptions', tmp_path, split=s)) for s in ('train', 'val', 'test')] == [4, 2, 1]


def test_precomp_lines_end_at_line_feeds_alone(tmp_path):
    """A caption with a separator of another kind stays one line, as in the loaders of the field."""
    captions = ['a\x0bpark', 'b\u2028', 'c\x85d', 'e\r', 'f']
    write(tmp_path, 'test_caps.txt', '\n'.join(captions))
    write(tmp_path, 'test_filename.txt', 'a.png')
    assert read_precomp(tmp_path)[0].captions == ('a\x0bpark', 'b', 'c\x85d', 'e', 'f')


@pytest.mark.parametrize(
    ('captions', 'names', 'message'),
    [
        (10, ['a', 'b', 'c'], 'test_caps.txt has 10 lines and test_filename.txt 3'),
        (9, ['a'] * 5 + ['b'] * 4, 'lines 6 to 9 should be one name 5 times, got b; a line is missing'),
        (10, ['a'] * 4 + ['b'] * 6, 'lines 1 to 5 should be one name 5 times, got a, b'),
        (10, ['a', 'a'], "names 'a' twice"),
        (10, None, 'test_filename.txt does not exist'),
    ],
)
def test_precomp_off_by_some(tmp_path, captions, names, message):
    write(tmp_path, 'test_caps.txt', 'a park\n' * captions)
    if names is not None:
        write(tmp_path, 'test_filename.txt', '\n'.join(names))
    with pytest.raises(DataError, match=message):
        read_precomp(tmp_path)


def test_precomp_folder_without_files(tmp_path):
    with pytest.raises(DataError, match='holds none of train_caps.txt, val_caps.txt, test_caps.txt'):
        read_precomp(tmp_path)
    with pytest.raises(DataError, match='PrecompCaptions: .*images does not exist; get the data set from https'):
        build('PrecompCaptions', tmp_path, split='test')


@pytest.fixture
def log(monkeypatch):
    """What is logged, with levels."""
    lines = []
    for module in ('annotations.records', 'annotations.split_conventions', 'sets.caption_retrieval'):
        monkeypatch.setattr(
            f'osdpm_plugin.datasets.{module}.print_log',
            lambda message, logger, level=logging.INFO: lines.append((logging.getLevelName(level), message)),
        )
    return lines


def test_blank_lines_of_precomp(tmp_path, log):
    """As in RSITMD's train file: an image all of whose captions are blank goes, with a count; ids do not move."""
    write_precomp(tmp_path, train=3, test=0)
    lines = (tmp_path / 'train_caps.txt').read_text().split('\n')
    lines[5:10] = [''] * 4 + [' .']
    lines[12] = ''
    write(tmp_path, 'train_caps.txt', '\n'.join(lines))
    first, third = read_precomp(tmp_path)
    assert first.caption_ids == (0, 1, 2, 3, 4) and third.caption_ids == (10, 11, 13, 14)
    assert (first.image_id, third.image_id) == (0, 2)
    assert log == [
        ('INFO', f'{tmp_path}: dropped 6 blank captions of 15, of images scene_1.png, scene_2.png'),
        ('WARNING', f'{tmp_path}: left out 1 images of 3 that have no caption: scene_1.png'),
    ]
    with pytest.raises(DataError, match=r"5 of the 5 captions of 'scene_1.png' are blank"):
        build('PrecompCaptions', tmp_path, split='train', blank_captions='raise')


def test_blank_captions_of_json_sets(tmp_path, log):
    """RSICD's own file has some, so RSICD drops them; one that lists no captions at all is an error all the same."""
    annotation = write_dataset(tmp_path, 'RSICD', train=2, val=1, test=1)
    annotation['images'][0]['sentences'][2]['raw'] = ' .'
    (tmp_path / 'dataset_rsicd.json').write_text(json.dumps(annotation))
    assert build('RSICD', tmp_path, split='train').get_data_info(0)['caption_ids'] == [0, 1, 3, 4]
    assert ('INFO', f'{tmp_path}/dataset_rsicd.json: dropped 1 blank captions of 20, of images scene_0.jpg') in log
    with pytest.raises(DataError, match="1 of the 5 captions of 'scene_0.jpg' are blank"):
        build('RSICD', tmp_path, split='train', blank_captions='raise')
    annotation['images'][1]['sentences'] = []
    (tmp_path / 'dataset_rsicd.json').write_text(json.dumps(annotation))
    with pytest.raises(DataError, match="image 'scene_1.jpg' has no caption"):
        build('RSICD', tmp_path, split='train')


def test_rsitmd_of_before_28_october_2021(tmp_path, log):
    """An image all of whose captions are blank goes, by name; the ids of the others are positions in the file."""
    annotation = write_dataset(tmp_path, 'RSITMD', train=4, val=0, test=1)
    for sentence in annotation['images'][1]['sentences']:
        sentence['raw'] = ''
    path = tmp_path / 'dataset_RSITMD.json'
    path.write_text(json.dumps(annotation))
    train = build('RSITMD', tmp_path, split='train', val_fraction=0.34)
    val = build('RSITMD', tmp_path, split='val', val_fraction=0.34)
    items = [data.get_data_info(i) for data in (train, val) for i in range(len(data))]
    assert sorted(item['image_id'] for item in items) == [0, 2, 3]
    assert {item['image_id']: item['caption_ids'][0] for item in items} == {0: 0, 2: 10, 3: 15}
    assert build('RSITMD', tmp_path, split='test').get_data_info(0)['image_id'] == 4
    assert ('WARNING', f'{path}: left out 1 images of 5 that have no caption: scene_1.tif') in log
    assert [r.image_id for r in read_annotations(path, blank_captions='drop')] == [0, 2, 3, 4]
    with pytest.raises(DataError, match=r"5 of the 5 captions of 'scene_1.tif' are blank; .*blank_captions='drop'"):
        build('RSITMD', tmp_path, split='train', blank_captions='raise')


def test_a_partial_set_is_announced(tmp_path, log):
    write_dataset(tmp_path, 'UCMCaptions', train=3, val=1, test=1)
    build('UCMCaptions', tmp_path, split='train')
    assert log == [
        (
            'WARNING',
            f"{tmp_path}/dataset.json: split 'train' has 3 images, UCM-Captions has 1680; results do not compare with "
            'published ones',
        )
    ]


def test_facts_agree_with_themselves():
    """Sizes of splits add up to the number of images."""
    for name in ('RSICD', 'RSITMD', 'UCMCaptions', 'SydneyCaptions', 'NWPUCaptions'):
        facts = DATASETS.get(name).FACTS
        assert not facts.splits or sum(facts.splits.values()) == facts.images, name
        assert not facts.class_names or len(set(facts.class_names)) == facts.num_classes, name
        assert facts.source and facts.home.startswith('https://') and facts.captions_per_image == 5


def real(folder):
    root = os.environ.get('OSDPM_DATA_ROOT')
    if not root or not Path(root, folder).is_dir():
        pytest.skip(f'set OSDPM_DATA_ROOT to a folder that holds {folder}/ to read the published files')
    return Path(root, folder)


def test_ucm_captions_as_published():
    root = real('UCM_captions')
    sizes = [len(DATASETS.build(dict(type='UCMCaptions', data_root=str(root), split=s))) for s in ('train', 'test')]
    assert sizes == [UCMCaptions.FACTS.splits[s] for s in ('train', 'test')] == [1680, 210]
    records = read_karpathy_json(root / 'dataset.json')
    assert len(records) == 2100 and sum(len(r.captions) for r in records) == 10500
    assert sum(r.split == 'val' for r in records) == 210
    assert read_annotations(root / 'dataset.json') == records


def test_ucm_manifest_is_the_published_split():
    from osdpm_plugin.datasets.annotations.split_manifest import read_manifest

    records = read_karpathy_json(real('UCM_captions') / 'dataset.json')
    for split, names in read_manifest(Path('ucm_captions')).items():
        assert {Path(n).stem for n in names} == {Path(r.filename).stem for r in records if r.split == split}


def test_rsicd_as_published(log):
    """Counts hold for whatever part of the set is there; the blank captions and class names are facts of the file."""
    root = real('RSICD')
    records = read_karpathy_json(root / 'dataset_rsicd.json', blank_captions='drop')
    by_split = {s: [r for r in records if r.split == s] for s in ('train', 'val')}
    for split, found in by_split.items():
        assert 0 < len(found) <= RSICD.FACTS.splits[split]
        assert len(build('RSICD', root, split=split)) == len(found)
    assert {r.filename for r in records if len(r.captions) < 5} <= {
        'bridge_218.jpg',
        'bridge_59.jpg',
        'parking_211.jpg',
    }
    assert any('dropped 3 blank captions' in message for _, message in log)
    prefixes = {''.join(c for c in Path(r.filename).stem if c.isalpha()) for r in records}
    assert prefixes - {''} == set(RSICD.FACTS.class_names)
    train = [c for r in by_split['train'] for c in r.captions]
    same = sum(len(r.captions) == 5 and len(set(r.captions)) == 1 for r in by_split['train'])
    if len(by_split['train']) == 8734:
        assert len(train) > 43000 and same > 4000
    assert len(set(train)) < 0.4 * len(train) and same > 0.4 * len(by_split['train'])  # captions repeat heavily
    cut = apply_convention(records, convention='pir_sizes', source='RSICD')
    pool = len(by_split['train']) + len(by_split['val'])
    assert sum(r.split == 'train' for r in cut) == (7862 if pool == 9828 else pool * 8 // 10)
