"""Where a config names its test pipeline and its data sets."""

import pytest
from mmengine.config import Config

from osdpm_plugin.datasets.config_views import inner_sets, leaves, pipeline_of, test_pipeline
from osdpm_plugin.errors import ConfigError

STEP = dict(type='Resize', scale=(8, 8))
SET = dict(type='RSITMD', split='test', pipeline=[STEP])


def test_the_pipeline_inside_wrappers():
    cached = dict(type='CachedFeatureDataset', dataset=SET)
    for dataset in (SET, cached, dict(type='RepeatDataset', times=2, dataset=cached)):
        assert pipeline_of(dataset) == test_pipeline(dict(test_dataloader=dict(dataset=dataset))) == [STEP]
    assert test_pipeline(Config(dict(test_dataloader=dict(dataset=cached)))) == [STEP]
    assert pipeline_of({}) == pipeline_of(dict(type='ConcatDataset', datasets=[SET])) == []


@pytest.mark.parametrize('cfg', [{}, dict(test_dataloader=None), dict(test_dataloader=dict(dataset=dict(pipeline=[])))])
def test_a_config_without_pipeline(cfg, tmp_path):
    with pytest.raises(ConfigError, match=r'the config has no test_dataloader\.dataset\.pipeline, which says how'):
        test_pipeline(cfg)
    Config(cfg).dump(tmp_path / 'a.py')
    with pytest.raises(ConfigError, match=r'config .*a\.py has no test_dataloader\.dataset\.pipeline'):
        test_pipeline(Config.fromfile(tmp_path / 'a.py'))


def test_leaves():
    other = dict(SET, split='val', dataset='a name, which is no data set')
    repeated = dict(type='RepeatDataset', times=3, dataset=SET)
    assert list(leaves(dict(type='ConcatDataset', datasets=[repeated, other]))) == [SET, other]
    assert list(leaves(SET)) == [SET] and list(leaves(None)) == list(leaves('built')) == []
    assert inner_sets(repeated) == [SET] and inner_sets(SET) == inner_sets(None) == []
