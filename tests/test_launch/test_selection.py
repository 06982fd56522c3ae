"""Choosing on test is refused, unless it is switched on, and then it is said."""

from __future__ import annotations

import os

import pytest
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import build_runner
from osdpm_plugin.launch.selection import ON_TEST, check_selection, describe_selection
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import TRAINED

ON_TEST_SPLIT = dict(type='RSITMD', data_root='data/x', split='test')


def config(val=None, test=None, save_best='retrieval/mR', **extra):
    return Config(
        dict(
            val_dataloader=dict(dataset={**ON_TEST_SPLIT, **(val or {})}),
            test_dataloader=dict(dataset={**ON_TEST_SPLIT, **(test or {})}),
            default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook', save_best=save_best)),
            train_cfg=dict(max_epochs=3),
            **extra,
        )
    )


@pytest.mark.parametrize(
    'val',
    [
        dict(),
        dict(data_root='data/./x/'),
        dict(data_root=os.path.abspath('data/x')),
        dict(ann_file='dataset_RSITMD.json'),
        dict(type='CaptionRetrievalDataset', ann_file='dataset_RSITMD.json'),
        dict(split=None),
    ],
)
def test_refused(val):
    with pytest.raises(ConfigError, match=r"split 'test' of data/x/dataset_RSITMD.json.*select_on_test = True"):
        check_selection(config(val))
    with pytest.raises(ConfigError, match='select_on_test'):
        build_runner(config(val))
    assert check_selection(config(val, select_on_test=True)) == ON_TEST
    assert check_selection(config(val, save_best=None)) is None


def test_refused_in_wrappers():
    cfg, datasets = config(), [dict(ON_TEST_SPLIT, split='val'), ON_TEST_SPLIT]
    cfg.val_dataloader.dataset = dict(type='ConcatDataset', datasets=datasets)
    cfg.test_dataloader.dataset = dict(type='CachedFeatureDataset', cache='c', dataset=ON_TEST_SPLIT)
    with pytest.raises(ConfigError, match='select_on_test'):
        check_selection(cfg)


@pytest.mark.parametrize(
    'val', [dict(split='val'), dict(split='train'), dict(data_root='data/y'), dict(ann_file='other.json')]
)
def test_allowed(val):
    assert check_selection(config(val)) is None
    assert check_selection(config(val, select_on_test=True)) is None  # nothing to switch on


def test_trainval_holds_val():
    """Both ways, and only of train and val."""
    for val, test in (('trainval', 'val'), ('train', 'trainval')):
        with pytest.raises(ConfigError, match=f"split '{test}' of data/x"):
            check_selection(config(dict(split=val), dict(split=test)))
    assert check_selection(config(dict(split='trainval'))) is None


def test_bad_switch_and_no_validation():
    with pytest.raises(ConfigError, match="select_on_test must be one of True, False, got 'yes'"):
        check_selection(config(select_on_test='yes'))
    cfg = config()
    cfg.val_dataloader = None
    assert check_selection(cfg) is None
    assert check_selection(Config(dict())) is None


@pytest.mark.parametrize('path', TRAINED)
def test_shipped_configs_choose_on_val(path):
    """Those of the part of RSICD that has no test split choose on a tenth of train."""
    cfg = Config.fromfile(ROOT / path)
    assert check_selection(cfg) is None
    splits = [cfg[f'{loader}_dataloader'].dataset.get('split') for loader in ('val', 'test')]
    assert ('rsicd150' in path) == (splits == ['selection', 'val'])


@pytest.mark.parametrize(
    ('name', 'epoch', 'words'),
    [
        ('w/best_retrieval_mR_epoch_2.pth', 2, 'best retrieval/mR on val'),
        ('w/best_retrieval_Rsum_epoch_2.pth', 2, 'best on val by a rule that the config does not name'),
        ('w/epoch_3.pth', 3, 'last'),
        ('w/epoch_2.pth', 2, 'epoch 2, named by the user'),
        ('w/clip.pt', None, 'given weights'),
    ],
)
def test_words(name, epoch, words):
    assert describe_selection(config(dict(split='val')), name, epoch) == words
    if words == 'best retrieval/mR on val':
        assert describe_selection(config(select_on_test=True), name, epoch) == 'best retrieval/mR on TEST'
        assert describe_selection(config(dict(split='selection')), name, epoch) == 'best retrieval/mR on selection'
