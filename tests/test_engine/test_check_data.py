"""Absent data are found before a model is built."""

import pytest
from mmengine.config import Config

from osdpm_plugin.engine.check_data import check_data
from osdpm_plugin.errors import DataError
from tests.generated_data import write_dataset


def loaders(root, **others):
    dataset = dict(type='RSITMD', data_root=str(root), split='val', pipeline=[dict(type='NoSuchTransform')])
    return Config(
        dict(
            train_dataloader=dict(dataset=dict(dataset, split='train')), val_dataloader=dict(dataset=dataset), **others
        )
    )


def test_absent_set_is_named_with_its_source(tmp_path):
    with pytest.raises(
        DataError, match=r'RSITMD: .*dataset_RSITMD.json does not exist; get the data set from https://'
    ):
        check_data(loaders(tmp_path), 'train_dataloader')


def test_each_named_loader_is_checked_and_no_other(tmp_path):
    write_dataset(tmp_path, 'RSITMD', train=10, val=0, test=2)
    cfg = loaders(tmp_path, test_dataloader=dict(dataset=dict(type='RSITMD', data_root='nowhere', split='test')))
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    with pytest.raises(DataError, match='nowhere'):
        check_data(cfg, 'val_dataloader', 'test_dataloader')


def test_other_packages_and_absent_loaders_are_left_alone():
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='mmpretrain.CustomDataset')), val_dataloader=None))
    check_data(cfg, 'train_dataloader', 'val_dataloader', 'test_dataloader')
