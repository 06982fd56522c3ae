"""tools/benchmark.py: command line -> a table, JSON, or one sentence and exit code 2."""

from __future__ import annotations

import json
import sys

import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.benchmarks import start_up
from tests.helpers.paths import ROOT
from tests.helpers.tools import run_tool_here


@pytest.fixture
def benchmark(capsys):
    """A function that runs the tool in this process: exit code, output, errors."""

    def run(*arguments):
        return run_tool_here('benchmark.py', *arguments), *capsys.readouterr()

    return run


@pytest.mark.parametrize('added, memory', [(2**20, '1 MiB beside the embeddings'), (None, 'memory not measured')])
def test_recall(benchmark, tmp_path, monkeypatch, added, memory):
    monkeypatch.setattr('osdpm_plugin.lab.benchmarks.machine.rates', lambda device: dict(fp32_flops=1e9))
    monkeypatch.setattr(
        'osdpm_plugin.lab.benchmarks.recall.measure_memory',
        lambda count: dict(seconds=1.0, added_bytes=added, matrix_bytes=2**21),
    )
    out = tmp_path / 'benchmark.json'
    code, said, err = benchmark('recall', '--images=20', '--repeats=2', f'--out={out}')
    assert code == 0, err
    assert '| recall of 20 x 100 |' in said and memory in said
    content = json.loads(out.read_text())['recall']
    assert content['rows'][0]['large']['seconds'] == 1.0 and content['machine']['device'] == 'cpu'


def test_scoring(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr('osdpm_plugin.lab.benchmarks.machine.rates', lambda device: {})
    out = tmp_path / 'benchmark.json'
    options = ['--images=2', '--captions=3', '--size=64', '--repeats=2', '--device=cpu', f'--out={out}']
    code, said, err = benchmark('scoring', '--config', ROOT / 'configs/comparison/vsepp_ucm.py', *options)
    assert code == 0, err
    assert '| scores of 2 x 3, DotProduct |' in said
    content = json.loads(out.read_text())['scoring']
    assert len(content['rows'][0]['seconds']['theirs']) == 2 and content['machine']['device'] == 'cpu'


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['step', '--repeats=0'], '--repeats must be a whole number of at least 1'),
        (['input', '--workers=-1'], '--workers must be a whole number of at least 0'),
        (['step', '--precision=fp8'], "--precision must be one of 'fp32', 'bf16'"),
        (['step', '--config=no.py'], 'no.py does not exist'),
        (['all', '--config=no.py'], '--config does not apply to all, whose options are --repeats, --device'),
        (['recall', '--device=cpu'], '--device does not apply to recall'),
        (['extract', '--precision=bf16'], '--precision does not apply to extract'),
        (['quickstart', '--repeats=2'], 'whose options are none but --out'),
        (['all', '--out=setup.cfg'], 'setup.cfg cannot be read as JSON'),
        (['all', '--out=setup.cfg/x.json'], "--out='"),
    ],
)
def test_one_sentence(benchmark, monkeypatch, arguments, message):
    """Before anything is measured."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr('osdpm_plugin.lab.benchmarks.machine.rates', lambda device: {})
    code, _, err = benchmark(*arguments)
    assert code == 2 and err.startswith('error: ') and message in err, err


def test_help_names_the_defaults(benchmark):
    code, said, _ = benchmark('--help')
    said = ' '.join(said.split())
    assert code == 0
    assert '(default: input 512, extract 32, recall 1093, scoring 100, archive 200000)' in said
    assert 'step configs/regimes/vitb32_finetune_rsitmd.py' in said and 'scoring 3, archive 3)' in said


def test_wall_time_of_the_quick_start(tmp_path):
    script = tmp_path / 'tools' / 'quickstart.sh'
    script.parent.mkdir()
    script.write_text('echo "$OSDPM_QUICKSTART_DIR"\necho "wall time: 12 s"\n')
    assert start_up.time_quickstart(tmp_path, tmp_path / 'work') == dict(what='quickstart', seconds=12)
    script.write_text('echo broken >&2\nexit 3\n')
    with pytest.raises(ConfigError, match='tools/quickstart.sh failed: broken'):
        start_up.time_quickstart(tmp_path, tmp_path / 'work')


def test_a_start_that_fails_says_why(tmp_path):
    command = [sys.executable, '-c', 'raise SystemExit("no data")']
    with pytest.raises(ConfigError, match='before its first iteration: no data'):
        start_up.first_step(command, tmp_path, tmp_path / 'marker')
    marks = [sys.executable, '-c', f'import time; open({str(tmp_path / "marker")!r}, "w").write(repr(time.time()))']
    assert 0 < start_up.first_step(marks, tmp_path, tmp_path / 'marker') < 60


def test_slowest_imports_of_a_script(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text('import time\nimport slow\nif __name__ == "__main__":\n    raise SystemExit(1)\n')
    (tmp_path / 'slow.py').write_text('import time\ntime.sleep(0.5)\n')
    found = start_up.slowest_imports(script, tmp_path, top=2)
    assert next(iter(found)) == 'slow' and 0.5 <= found['slow'] < 5 and len(found) == 2
    script.write_text('import no_such_module\n')
    with pytest.raises(ConfigError, match="fail: ModuleNotFoundError: No module named 'no_such_module'"):
        start_up.slowest_imports(script, tmp_path)
