"""Absent data are found before a model is built."""

import pytest
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.launch import check_data
from tests.helpers.generated_data import write_dataset


def loaders(root, **others):
    dataset = dict(type='RSITMD', data_root=str(root), split='val', pipeline=[dict(type='NoSuchTransform')])
    train = dict(dataset=dict(dataset, split='train'))
    return Config(dict(train_dataloader=train, val_dataloader=dict(dataset=dataset), **others))


def test_absent_set_is_named_with_its_source(tmp_path):
    words = r'RSITMD: .*dataset_RSITMD.json does not exist; get the data set from https://'
    with pytest.raises(DataError, match=words):
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


def concatenation(*parts):
    return Config(dict(train_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=list(parts)))))


def test_one_id_of_two_images(tmp_path):
    """Both files number their images from 0; the same set twice has the same images under its ids."""
    first, second = (dict(type='RSITMD', data_root=str(tmp_path / name), split='train') for name in 'ab')
    for name in 'ab':
        write_dataset(tmp_path / name, 'RSITMD', train=4, val=2, test=2)
    words = rf'train_dataloader: image id (\d+) belongs to {tmp_path}/a/.* and to {tmp_path}/b/.*CaptionDataset'
    with pytest.raises(DataError, match=words):
        check_data(concatenation(first, second), 'train_dataloader')
    check_data(concatenation(first, dict(first, split='test')), 'train_dataloader')
    check_data(concatenation(first, first), 'train_dataloader')
    with pytest.raises(DataError, match=words):
        twice = [dict(type='RepeatDataset', times=2, dataset=part) for part in (first, second)]
        check_data(concatenation(*twice), 'train_dataloader')


@pytest.mark.parametrize(
    'times, launcher, batch_size, largest',
    [
        (1, 'none', 4, 4),
        (1, 'none', 5, 4),
        (2, 'none', 8, 8),
        (2, 'none', 9, 8),
        (2, 'pytorch', 3, 3),
        (2, 'pytorch', 4, 3),
        (2, 'slurm', 4, 3),
        (2, 'mpi', 4, 3),
    ],
)
def test_drop_last_that_leaves_nothing(tmp_path, monkeypatch, times, launcher, batch_size, largest):
    """4 images, ``times`` times; of 8 images on 3 processes each has 3, with one of them twice."""
    write_dataset(tmp_path, 'RSITMD', train=4, val=2, test=2)
    processes = 1 if launcher == 'none' else 3
    variables = dict(pytorch='WORLD_SIZE', slurm='SLURM_NTASKS', mpi='OMPI_COMM_WORLD_SIZE')
    for name in variables.values():
        monkeypatch.delenv(name, raising=False)
    if launcher != 'none':
        monkeypatch.setenv(variables[launcher], str(processes))
    cfg = loaders(tmp_path, launcher=launcher)
    inner = cfg.train_dataloader.dataset
    whole = inner if times == 1 else dict(type='RepeatDataset', times=times, dataset=inner)
    whole = dict(type='SeedByPosition', dataset=whole) if processes == 3 else whole
    cfg.train_dataloader = dict(batch_size=batch_size, drop_last=True, dataset=whole)
    if batch_size <= largest:
        check_data(cfg, 'train_dataloader')
    else:
        with pytest.raises(ConfigError, match=rf'batch_size={batch_size} .* no batch .* set batch_size to {largest} '):
            check_data(cfg, 'train_dataloader')
    cfg.train_dataloader.drop_last = False
    check_data(cfg, 'train_dataloader')


def test_a_part_of_another_package_is_not_counted(tmp_path):
    write_dataset(tmp_path, 'RSITMD', train=4, val=2, test=2)
    inner = dict(type='RSITMD', data_root=str(tmp_path), split='train')
    cfg = concatenation(inner, dict(type='mmpretrain.CustomDataset'))
    cfg.train_dataloader.update(batch_size=100, drop_last=True)
    check_data(cfg, 'train_dataloader')
