"""Names of shipped configs, and how a config is found and read."""

import pytest
from mmengine.config import Config

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.search import shipped_configs
from osdpm_plugin.search.shipped_configs import find_config, list_configs, read_config
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import SHIPPED


def test_every_shipped_config_has_a_name():
    assert [f'configs/{name}.py' for name in list_configs()] == sorted(SHIPPED)


def test_finding(tmp_path, monkeypatch):
    want = ROOT / 'configs' / 'ablations' / 'ucm_plain.py'
    assert find_config('ucm_plain') == find_config('ablations/ucm_plain') == find_config(want) == want
    own = tmp_path / 'ucm_plain'
    own.write_text('')
    monkeypatch.chdir(tmp_path)
    assert find_config('ucm_plain').resolve() == own, 'a file comes first'


def test_patterns():
    assert list_configs('osdpm_ucm') == [name for name in list_configs() if name.startswith('osdpm_ucm')]
    assert list_configs('ablations/ucm_pl*') == list_configs('ucm_plain') == ['ablations/ucm_plain']
    assert list_configs('nothing') == []


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two folders with a config of one name, and a base."""
    for name in ('a/x.py', 'b/x.py', 'b/y.py', '_base_/z.py'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('value = 1\n')
    monkeypatch.setattr(shipped_configs, '_FOLDERS', (tmp_path / 'none', tmp_path))
    return tmp_path


def test_a_name_that_is_not_unique(two):
    assert list_configs() == ['a/x', 'b/x', 'b/y'] and find_config('a/x') == two / 'a/x.py'
    with pytest.raises(ConfigError, match='several shipped configs are called x; name one of a/x, b/x'):
        find_config('x')
    (two / 'b' / 'small').mkdir()
    (two / 'b' / 'small' / 'y.py').write_text('')
    assert find_config('y') == two / 'b/y.py', 'and not its variant'
    assert find_config('b/small/y') == two / 'b/small/y.py'
    with pytest.raises(ConfigError, match=r'config z is neither a file nor a shipped config; .*list_models\(\)'):
        find_config('z')


def test_reading(two):
    cfg = read_config('y')
    assert cfg.value == 1 and read_config(cfg) is cfg and isinstance(read_config(two / 'b' / 'y.py'), Config)
    (two / 'b' / 'y.py').write_text('value = (\n')
    with pytest.raises(ConfigError, match=r'config .*y\.py cannot be read: SyntaxError'):
        read_config('y')


def test_without_shipped_configs(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped_configs, '_FOLDERS', (tmp_path / 'none',))
    assert list_configs() == []
    with pytest.raises(ConfigError, match='neither a file nor a shipped config'):
        find_config('osdpm_ucm')
