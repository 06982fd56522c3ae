"""Data sets in their official layouts: items, splits, and what is said when files are missing."""

import json

import pytest
from PIL import Image

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.registry import DATASETS
from tests.helpers.generated_data import LAYOUTS, captions_of, write_dataset


def build(kind, root, split, **options):
    return DATASETS.build(dict(type=kind, data_root=str(root), split=split, **options))


@pytest.mark.parametrize('kind', sorted(LAYOUTS))
def test_items_of_each_layout(tmp_path, kind):
    write_dataset(tmp_path, kind, train=5, val=2, test=3)
    ann_file, image_dir, suffix = LAYOUTS[kind]
    data = build(kind, tmp_path, 'test')
    assert len(data) == 3 and len(build(kind, tmp_path, 'trainval')) == 7
    item = data.get_data_info(1)
    assert item['image_id'] == 8 and item['caption_ids'] == [40, 41, 42, 43, 44]
    assert item['captions'] == captions_of(8)
    assert item['img_path'] == str(tmp_path / image_dir / f'scene_8{suffix}')


def test_categories_are_the_objects_that_captions_name(tmp_path):
    """What mmengine's ClassBalancedDataset asks for: places in the shipped lexicon, each once."""
    write_dataset(tmp_path, 'RSICD')
    data = build('RSICD', tmp_path, 'train')
    lexicon = Lexicon.default()
    for index in range(len(data)):
        captions = data.get_data_info(index)['captions']
        named = {name for caption in captions for name in lexicon.find(caption)}
        assert [lexicon.categories[i] for i in data.get_cat_ids(index)] == sorted(named, key=lexicon.categories.index)


def test_val_is_cut_from_train_by_file_name(tmp_path):
    """RSITMD has no val split: the cut does not depend on the order of the file, and nothing is lost or doubled."""
    annotation = write_dataset(tmp_path, 'RSITMD', train=20, val=0, test=2)
    names = {
        split: {i['img_path'] for i in map(data.get_data_info, range(len(data)))}
        for split in ('train', 'val', 'trainval')
        for data in [build('RSITMD', tmp_path, split, val_fraction=0.2)]
    }
    assert len(names['val']) == 4 and len(names['train']) == 16
    assert names['train'] | names['val'] == names['trainval'] and not names['train'] & names['val']
    annotation['images'].reverse()
    (tmp_path / 'dataset_RSITMD.json').write_text(json.dumps(annotation))
    shuffled = build('RSITMD', tmp_path, 'val', val_fraction=0.2)
    assert {shuffled.get_data_info(i)['img_path'] for i in range(4)} == names['val']


def test_a_val_split_in_the_file_is_never_cut(tmp_path):
    write_dataset(tmp_path, 'RSICD', train=20, val=3, test=2)
    assert [len(build('RSICD', tmp_path, s)) for s in ('train', 'val', 'test')] == [20, 3, 2]


def test_absent_data_set_says_where_to_get_it(tmp_path):
    with pytest.raises(
        DataError, match=r'RSITMD: .*dataset_RSITMD.json does not exist; get the data set from https://github.com'
    ):
        build('RSITMD', tmp_path / 'nowhere', 'train')
    write_dataset(tmp_path, 'RSICD')
    with pytest.raises(DataError, match='pictures does not exist'):
        build('RSICD', tmp_path, 'train', image_dir='pictures')


def test_absent_split(tmp_path):
    write_dataset(tmp_path, 'RSICD', train=2, val=1, test=0)
    with pytest.raises(DataError, match=r"no image in split 'test'; it has 'train' \(2 images\), 'val' \(1 images\)"):
        build('RSICD', tmp_path, 'test')
    path = tmp_path / 'dataset_rsicd.json'
    path.write_text(path.read_text().replace('"val"', '"va\\nl"'))
    with pytest.raises(
        DataError, match=r"no image in split 'test'; it has 'train' \(2 images\), 'va\\nl' \(1 images\)$"
    ):
        build('RSICD', tmp_path, 'test')


def test_split_too_small_to_cut(tmp_path):
    write_dataset(tmp_path, 'RSITMD', train=2, val=0, test=1)
    with pytest.raises(DataError, match='its 2 train images cannot be cut by val_fraction=0.1'):
        build('RSITMD', tmp_path, 'val')


def test_missing_images_are_counted_and_named(tmp_path):
    write_dataset(tmp_path, 'RSICD', train=6)
    for index in (1, 3):
        (tmp_path / 'RSICD_images' / f'scene_{index}.jpg').unlink()
    with pytest.raises(
        DataError, match='2 of 6 images are missing, first .*scene_1.jpg, .*scene_3.jpg; check data_root'
    ):
        build('RSICD', tmp_path, 'train')


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        ('RSICD', 'RSICD_images/scene_2.jpg'),
        ('RSITMD', 'images/scene_2.tif'),
        ('CaptionRetrievalDataset', 'images/scene_2.png'),
    ],
)
@pytest.mark.parametrize('damage', ['truncate', 'not an image'])
def test_damaged_image_is_found_at_start_up(tmp_path, kind, name, damage):
    write_dataset(tmp_path, kind, train=6, val=1, size=96)
    path = tmp_path / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == 'truncate' else b'<html>404</html>')
    with pytest.raises(
        DataError, match=r'1 of 6 images cannot be decoded, first .*scene_2.* \(.+\); replace these files'
    ):
        build(kind, tmp_path, 'train')
    assert len(build(kind, tmp_path, 'train', check='exists')) == 6


@pytest.mark.parametrize('options', [dict(val_fraction=1.0), dict(blank_captions='keep'), dict(check='maybe')])
def test_arguments_out_of_range(tmp_path, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build('RSICD', tmp_path, 'train', **options)


def test_greyscale_and_odd_sizes_load_through_the_pipeline(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=2, val=1)
    Image.new('L', (31, 57), 7).save(tmp_path / 'images' / 'scene_0.png')
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(16, 16)),
        dict(type='TokenizeCaptions', tokenizer=dict(type='OpenCLIPTokenizer', model='ViT-B-32')),
        dict(type='PackRetrievalInputs'),
    ]
    item = build('CaptionRetrievalDataset', tmp_path, 'train', pipeline=pipeline)[0]
    assert item['inputs'].shape == (3, 16, 16) and int(item['inputs'].min()) == int(item['inputs'].max()) == 7
    assert item['data_samples'].tokens.shape == (5, 77) and item['data_samples'].image_id == 0
