"""Every fault of an annotation file is one sentence that names file, place and remedy."""

import copy
import json

import pytest

from osdpm_plugin.datasets.annotations.karpathy import read_karpathy_json
from osdpm_plugin.datasets.text.caption_text import caption_key, normalise_caption
from osdpm_plugin.errors import DataError

GOOD = dict(
    images=[
        dict(filename='a.jpg', split='train', sentences=[dict(raw=' Two planes . '), dict(raw='a park')]),
        dict(filename='b.jpg', split='test', sentences=[dict(raw='a river')]),
    ]
)


def write(tmp_path, content):
    path = tmp_path / 'ann.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_ids_are_positions_in_the_file(tmp_path):
    first, second = read_karpathy_json(write(tmp_path, GOOD))
    assert first == (0, 'a.jpg', 'train', ('Two planes .', 'a park'), (0, 1))
    assert second == (1, 'b.jpg', 'test', ('a river',), (2,))


def test_dropped_blank_captions_keep_the_numbers_of_the_others(tmp_path):
    content = copy.deepcopy(GOOD)
    content['images'][0]['sentences'].insert(0, dict(raw=' . '))
    with pytest.raises(DataError, match=r"1 of the 3 captions of 'a.jpg' are blank.*blank_captions='drop'"):
        read_karpathy_json(write(tmp_path, content))
    first, second = read_karpathy_json(write(tmp_path, content), blank_captions='drop')
    assert first.caption_ids == (1, 2) and second.caption_ids == (3,)


def broken(change):
    content = copy.deepcopy(GOOD)
    change(content['images'])
    return content


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"images": [', 'is not JSON'),
        ('[]', "the top level lacks the key 'images'"),
        (dict(images=[]), 'lists no images'),
        (dict(images={}), r"\['images'\] must be list, got dict"),
        (broken(lambda i: i[1].pop('split')), r'images\[0\] names a split, images\[1\] does not'),
        (broken(lambda i: i[0].pop('filename')), r"images\[0\] lacks the key 'filename'"),
        (broken(lambda i: i[0].pop('sentences')), r"images\[0\] lacks the key 'sentences'"),
        (broken(lambda i: i[0]['sentences'][1].pop('raw')), r"images\[0\].sentences\[1\] lacks the key 'raw'"),
        (broken(lambda i: i[0]['sentences'].append(dict(raw=3))), r"\['raw'\] must be str, got int"),
        (broken(lambda i: i[1].update(filename='a.jpg')), r"names 'a.jpg' twice"),
        (broken(lambda i: i[1].update(sentences=[])), r"image 'b.jpg' has no caption"),
        (broken(lambda i: i[1].update(filename='../b.jpg')), r'names must be relative to the folder of images'),
        (broken(lambda i: i[1].update(filename='/etc/b.jpg')), r'names must be relative to the folder of images'),
        (broken(lambda i: i[1].update(filename='')), r"file name '', which is no file name"),
        (broken(lambda i: i[1].update(filename='b\0.jpg')), r'which is no file name'),
        (broken(lambda i: i[0]['sentences'][1].update(raw='a \ud800 park')), r'half a surrogate pair'),
        ('{"images": ' + '9' * 5000 + '}', 'is not JSON'),
        ('[' * 100000, 'is not JSON'),
    ],
)
def test_fault(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as raised:
        read_karpathy_json(write(tmp_path, content))
    assert 'ann.json' in str(raised.value) and '\n' not in str(raised.value)


def test_missing_and_unreadable_file(tmp_path):
    with pytest.raises(DataError, match='does not exist'):
        read_karpathy_json(tmp_path / 'none.json')
    (tmp_path / 'latin.json').write_bytes(b'\xff\xfe\xe9')
    with pytest.raises(DataError, match='cannot be read'):
        read_karpathy_json(tmp_path / 'latin.json')


def test_equal_texts_have_equal_keys():
    assert normalise_caption('Many  Planes, parked !') == 'many planes parked'
    assert caption_key('Many planes parked .') == caption_key('many planes  parked')
    assert caption_key('many planes') != caption_key('many plane')
    assert caption_key('a park') == 5302755085153422583  # the same on every machine
    assert -(2**63) <= caption_key('a park') < 2**63
