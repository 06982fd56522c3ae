"""tools/benchmark.py: command line -> a table, JSON, or one sentence and exit code 2."""

from __future__ import annotations

import json
import runpy
import sys

import pytest

from osdpm_plugin.benchmarks import quickstart, start_up
from osdpm_plugin.errors import ConfigError
from tests.shrunk_configs import ROOT


@pytest.fixture
def benchmark(monkeypatch, capsys):
    """A function that runs the tool in this process: exit code, output, errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'), run_name='__main__')
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return run


def test_recall(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr('osdpm_plugin.benchmarks.machine.rates', lambda device: dict(fp32_flops=1e9))
    monkeypatch.setattr(
        'osdpm_plugin.benchmarks.recall.measure_memory',
        lambda count: dict(seconds=1.0, before_bytes=0, peak_bytes=2**20, matrix_bytes=2**21),
    )
    out = tmp_path / 'benchmark.json'
    code, said, err = benchmark('recall', '--images=20', '--repeats=2', '--device=cpu', f'--out={out}')
    assert code == 0, err
    assert '| recall of 20 x 100 |' in said and '1 MiB beside the embeddings' in said
    content = json.loads(out.read_text())['recall']
    assert content['rows'][0]['large']['seconds'] == 1.0 and content['machine']['device'] == 'cpu'


def test_scoring(benchmark, tmp_path):
    out = tmp_path / 'benchmark.json'
    options = ['--images=2', '--captions=3', '--size=64', '--device=cpu', f'--out={out}']
    code, said, err = benchmark('scoring', '--config', ROOT / 'configs/comparison/vsepp_ucm.py', *options)
    assert code == 0, err
    assert '2 images x 3 captions on cpu' in said and 'times as long' in said
    assert json.loads(out.read_text())['scoring']['ratio'] > 0


@pytest.mark.parametrize(
    'arguments, message',
    [(['step', '--repeats=0'], '--repeats must be at least 1'), (['step', '--config=no.py'], 'no.py does not exist')],
)
def test_one_sentence(benchmark, monkeypatch, arguments, message):
    monkeypatch.setattr('osdpm_plugin.benchmarks.machine.rates', lambda device: {})
    code, _, err = benchmark(*arguments, '--device=cpu')
    assert code == 2 and err.startswith('error: ') and message in err


def test_wall_time_of_the_quick_start(tmp_path):
    script = tmp_path / 'tools' / 'quickstart.sh'
    script.parent.mkdir()
    script.write_text('echo "$OSDPM_QUICKSTART_DIR"\necho "wall time: 12 s"\n')
    assert quickstart.time_quickstart(tmp_path, tmp_path / 'work') == dict(what='quickstart', seconds=12)
    script.write_text('echo broken >&2\nexit 3\n')
    with pytest.raises(ConfigError, match='code 3: broken'):
        quickstart.time_quickstart(tmp_path, tmp_path / 'work')


def test_a_start_that_fails_says_why(tmp_path):
    command = [sys.executable, '-c', 'raise SystemExit("no data")']
    with pytest.raises(ConfigError, match='before its first iteration: no data'):
        start_up.first_step(command, tmp_path, tmp_path / 'marker')
    marks = [sys.executable, '-c', f'import time; open({str(tmp_path / "marker")!r}, "w").write(repr(time.time()))']
    assert 0 < start_up.first_step(marks, tmp_path, tmp_path / 'marker') < 60
