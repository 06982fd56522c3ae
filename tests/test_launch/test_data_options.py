"""`data_root=` and `ann_file=` of a command line reach every loader: own data without code."""

from argparse import Namespace

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from osdpm_plugin.datasets import CaptionDataset
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.launch import load_config
from osdpm_plugin.launch.data_options import spread_data_options
from osdpm_plugin.registry import DATASETS
from tests.helpers.paths import ROOT

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load(tmp_path, config, **options):
    return load_config(
        Namespace(
            config=str(ROOT / 'configs' / config),
            cfg_options=options,
            launcher='none',
            local_rank=0,
            work_dir=str(tmp_path / 'work_dir'),
        )
    )


def write_table_of_a_spreadsheet(folder, images=60):
    """Semicolons, a byte order mark, carriage returns and backslashes; an empty cell where a caption is missing."""
    lines = ['Filename;Caption 1;Caption 2']
    for i in range(images):
        place = folder / ('airport' if i % 2 else 'river')
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30, 3), i, dtype=np.uint8)).save(place / f'{i:03d}.jpg')
        lines.append(f'{place.name}\\{i:03d}.jpg;"{place.name}, Bild Nr. {i}";{"über allem" if i % 3 else ""}')
    (folder / 'captions.csv').write_bytes(b'\xef\xbb\xbf' + '\r\n'.join([*lines, '']).encode())


@pytest.mark.parametrize('config', ['osdpm_own.py', 'osdpm_own_small.py'])
def test_sixty_pictures_and_a_table_of_a_spreadsheet(tmp_path, config):
    write_table_of_a_spreadsheet(tmp_path)
    cfg = load(tmp_path, config, data_root=str(tmp_path), ann_file='captions.csv')
    assert (cfg.data_root, cfg.ann_file) == (str(tmp_path), 'captions.csv')
    parts = [DATASETS.build(cfg[name].dataset) for name in LOADERS]
    assert [len(part) for part in parts] == [48, 6, 6]
    infos = [part.get_data_info(i) for part in parts for i in range(len(part))]
    assert sorted(info['image_id'] for info in infos) == list(range(60))
    by_id = {info['image_id']: info['captions'] for info in infos}
    assert by_id[0] == ['river, Bild Nr. 0'] and by_id[1] == ['airport, Bild Nr. 1', 'über allem']
    item = parts[0][0]
    assert item['inputs'].shape[0] == 3 and cfg.train_dataloader.batch_size > 48 and not cfg.train_dataloader.drop_last


def test_other_sets_take_a_folder_too_and_a_named_loader_wins(tmp_path):
    cfg = load(
        tmp_path, 'osdpm_rsitmd.py', data_root='/big/RSITMD', **{'val_dataloader.dataset.data_root': '/small/RSITMD'}
    )
    assert [cfg[name].dataset.data_root for name in LOADERS] == ['/big/RSITMD', '/small/RSITMD', '/big/RSITMD']
    assert 'data_root' not in cfg


def test_wrappers():
    inner = dict(type='RSICD', data_root='x')
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner))))
    assert spread_data_options(cfg, dict(data_root='y', max_epochs=3)) == {
        'train_dataloader.dataset.dataset.data_root': 'y',
        'max_epochs': 3,
    }
    cfg.val_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[inner, inner]))
    with pytest.raises(ConfigError, match=r'val_dataloader.dataset has several data sets; .*datasets\.0\.data_root'):
        spread_data_options(cfg, dict(data_root='y'))


def test_a_file_that_is_not_there_says_which_values_to_set(tmp_path):
    with pytest.raises(DataError, match='the annotation file .*none.csv does not exist; set data_root to the folder'):
        CaptionDataset(data_root=str(tmp_path), ann_file='none.csv')
