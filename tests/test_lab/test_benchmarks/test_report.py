"""Rows, table and JSON of made-up measurements."""

import json

import pytest

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.benchmarks import machine
from osdpm_plugin.lab.benchmarks.machine import describe, rates
from osdpm_plugin.lab.benchmarks.report import Goal, comparison, merge, probe, table
from osdpm_plugin.lab.benchmarks.step_profile import floor_seconds
from osdpm_plugin.lab.benchmarks.timing import Pairs

PAIRS = Pairs(ours=(1.0, 2.0, 3.0), theirs=(2.0, 2.0, 2.0))


def row(what, ours, theirs, pairs, goal, details=None):
    return comparison(what=what, ours=ours, theirs=theirs, pairs=pairs, goal=goal, details=details or {})


def test_ratios_follow_the_kind_of_goal():
    """Times 1/2, 2/2, 3/2; speeds 2/1, 2/2, 2/3."""
    slow = row('step', 'ours', 'bare', PAIRS, Goal('at most', 1.1))
    assert slow['ratio'] == dict(of='times', min=0.5, median=1.0, max=1.5) and slow['met'] is True
    assert slow['goal'] == '<= 1.1'
    fast = row('input', 'ours', 'others', PAIRS, Goal('at least', 1.5), dict(workers=2))
    assert fast['ratio'] == pytest.approx(dict(of='speeds', min=2 / 3, median=1.0, max=2.0)) and fast['met'] is False
    assert fast['workers'] == 2 and fast['seconds'] == dict(ours=[1.0, 2.0, 3.0], theirs=[2.0, 2.0, 2.0])
    free = row('x', 'a', 'b', PAIRS, None)
    assert free['goal'] is None and free['met'] is None and free['ratio']['of'] == 'speeds'


def test_table():
    rows = [
        row('step', 'ours', 'bare', PAIRS, Goal('at most', 1.1)),
        row('input', 'p', 'q', Pairs((0.004,), (0.005,)), Goal('at least', 1.5)),
    ]
    assert table(rows).splitlines()[2:] == [
        '| step | ours: 2.00 s | bare: 2.00 s | times | 0.50 | 1.00 | 1.50 | <= 1.1 | yes |',
        '| input | p: 4 ms | q: 5 ms | speeds | 1.25 | 1.25 | 1.25 | >= 1.5 | NO |',
    ]


def test_results_of_other_measures_stay(tmp_path):
    path = tmp_path / 'out' / 'benchmark.json'
    merge(str(path), 'step', dict(rows=[1]))
    merge(str(path), 'recall', dict(rows=[2]))
    merge(str(path), 'step', dict(rows=[3]))
    assert json.loads(path.read_text()) == dict(step=dict(rows=[3]), recall=dict(rows=[2]))
    path.write_text('[1]')
    with pytest.raises(DataError, match='is not a JSON object'):
        merge(str(path), 'step', {})
    path.write_text('{')
    for call in (lambda: merge(str(path), 'step', {}), lambda: probe(str(path))):
        with pytest.raises(DataError, match='cannot be read as JSON'):
            call()


def test_a_file_is_tried_before_anything_is_measured(tmp_path):
    path = tmp_path / 'out' / 'benchmark.json'
    probe(str(path))
    assert json.loads(path.read_text()) == {}
    path.write_text('{"step": 1}')
    probe(str(path))
    assert json.loads(path.read_text()) == dict(step=1)
    with pytest.raises(ConfigError, match='--out'):
        probe(str(path / 'below a file'))


def test_machine():
    measured = rates('cpu', matrix=64, size=2**16)
    assert set(measured) == {'fp32_flops', 'bf16_flops', 'memory_bytes'} and min(measured.values()) > 0


def test_a_rate_is_of_one_call_of_several(monkeypatch):
    """Calls of 2 s each on a clock of the test, 20 of them between two looks at it."""
    now = [0.0]
    monkeypatch.setattr(machine, 'CALLS', dict(cpu=20))
    monkeypatch.setattr(machine.time, 'perf_counter', lambda: now[0])
    assert machine._best(lambda: now.__setitem__(0, now[0] + 2), 'cpu') == 2.0


def test_description_is_json(monkeypatch):
    monkeypatch.setattr('osdpm_plugin.lab.benchmarks.machine.rates', lambda device: dict(fp32_flops=1.0))
    found = json.loads(json.dumps(describe('cpu')))
    assert found['cpu'] and found['usable_cores'] >= 1 and found['threads'] >= 1
    assert found['versions']['torch'] and found['rates'] == dict(fp32_flops=1.0)


def test_floor_by_hand():
    """100 FLOP at 50 FLOP/s; 10 weights of 32 bytes at 160 bytes/s."""
    found = floor_seconds(100, 10, dict(fp32_flops=50.0, bf16_flops=200.0, memory_bytes=160.0), 'fp32')
    assert found == dict(matmul=2.0, memory=2.0, sum=4.0)
    assert floor_seconds(100, 0, dict(bf16_flops=200.0, memory_bytes=1.0), 'bf16')['sum'] == 0.5
