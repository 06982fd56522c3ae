"""The slope of memory over time, against closed forms and by simulation; what a call adds, by known allocations."""

from __future__ import annotations

import json
import mmap

import numpy as np
import pytest
from scipy import stats

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.benchmarks import memory
from osdpm_plugin.lab.benchmarks.memory import added_memory, memory_slope, resident_memory
from tests.helpers.short_runs import load_tool, write_config

MB = 2**20


def test_a_line_is_found_exactly():
    """12 MB an hour behind a warm-up of a quarter that rises steeply."""
    seconds = np.arange(0, 4000, 100.0)
    megabytes = np.where(seconds < 975, 300 + seconds, 500 + 12 * seconds / 3600)
    slope = memory_slope(seconds, megabytes)
    assert slope.mb_per_hour == pytest.approx(12) and slope.samples == 30
    assert (slope.low, slope.high) == pytest.approx((12, 12), abs=1e-6)


def test_the_interval_is_the_textbooks_where_residuals_do_not_resemble_each_other():
    """SciPy's regression of five points whose residuals alternate: their autocorrelation is negative."""
    hours, memory = np.arange(5.0), np.array([1.0, 4.0, 3.0, 6.0, 5.0])
    oracle = stats.linregress(hours, memory)
    half = stats.t.ppf(0.95, 3) * oracle.stderr
    slope = memory_slope(3600 * hours, memory, warmup=0.0, level=0.9)
    assert slope.mb_per_hour == pytest.approx(oracle.slope) == pytest.approx(1.0)
    assert (slope.low, slope.high) == pytest.approx((oracle.slope - half, oracle.slope + half))


@pytest.mark.parametrize(('memory_of_noise', 'least'), [(0.0, 0.93), (0.8, 0.85)])
def test_coverage(memory_of_noise, least):
    """The 95 % interval holds the true 5 MB an hour as often as it says; the textbook's fails for noise with memory."""
    rng = np.random.default_rng(0)
    hours = np.linspace(0, 2, 120)
    hits = naive = 0
    for _ in range(500):
        noise = np.zeros(120)
        for i, shock in enumerate(rng.standard_normal(120)):
            noise[i] = memory_of_noise * noise[i - 1] + shock
        memory = 100 + 5 * hours + noise
        slope = memory_slope(3600 * hours, memory, warmup=0.0)
        hits += slope.low <= 5 <= slope.high
        plain = stats.linregress(hours, memory)
        naive += abs(plain.slope - 5) <= stats.t.ppf(0.975, 118) * plain.stderr
    assert hits / 500 >= least
    assert naive / 500 < 0.6 or memory_of_noise == 0


@pytest.mark.parametrize('seconds', [[], [0.0], [0, 1, 2, 3], [5.0] * 9])
def test_too_few_samples(seconds):
    with pytest.raises(DataError, match='samples of memory remain'):
        memory_slope(seconds, [1.0] * len(seconds), warmup=0.0)


def test_bad_arguments():
    with pytest.raises(ConfigError, match='warmup must be a number of at least 0 and below 1'):
        memory_slope(range(9), range(9), warmup=1.0)


def test_resident_memory_sees_what_is_touched():
    before, workers = resident_memory()
    block = mmap.mmap(-1, 64 * 2**20)
    block.write(b'1' * len(block))
    after, _ = resident_memory()
    block.close()
    assert 60 < after - before < 80 and workers >= 0


@pytest.mark.stack
def test_the_tool_writes_samples_and_slopes(tmp_path, monkeypatch, capsys):
    """Two seconds of cycles of a shrunk config."""
    config = write_config(tmp_path)
    out = tmp_path / 'soak.json'
    arguments = ['soak.py', config, '--minutes', '0.05', '--out', str(out), '--work-dir', str(tmp_path / 'run')]
    monkeypatch.setattr('sys.argv', arguments)
    load_tool('soak').main()
    content = json.loads(out.read_text())
    kinds = [sample[4] for sample in content['samples']]
    epochs = [sample[3] for sample in content['samples']]
    assert kinds == ['train', 'val'] * (len(kinds) // 2) and len(kinds) >= 2
    assert epochs == [1 + i // 2 for i in range(len(epochs))]
    times = [sample[0] for sample in content['samples']]
    assert times == sorted(times) and times[-1] >= content['seconds'] > times[-3] if len(times) > 2 else True
    assert all(50 < sample[1] < 10_000 and sample[2] >= 0 for sample in content['samples'])
    chosen = [sample for sample in content['samples'] if sample[4] == 'val']
    if content['process_slope']:
        slope = memory_slope([s[0] for s in chosen], [s[1] for s in chosen])
        assert content['process_slope']['mb_per_hour'] == pytest.approx(slope.mb_per_hour)
    assert f'{len(kinds)} samples in {out}' in capsys.readouterr().out


def test_bad_minutes(monkeypatch):
    monkeypatch.setattr('sys.argv', ['soak.py', 'x.py', '--minutes', '0'])
    with pytest.raises(ConfigError, match='--minutes must be a number above 0, got 0.0'):
        load_tool('soak').main()


def test_a_planted_allocation_is_found_whatever_was_freed_before():
    """256 MB that are freed before the call hide 96 MB in the high-water mark of the process."""
    np.ones(256 * MB, np.uint8)
    assert added_memory(lambda: np.ones(96 * MB, np.uint8)) == pytest.approx(96 * MB, abs=8 * MB)
    assert added_memory(lambda: None) < 8 * MB


def test_free_pages_of_the_heap_are_not_filled_unseen():
    """128 MB that small objects leave in the heap, below an object that stays, would hold 64 MB without any growth."""
    blocks = [bytes(100_000) for _ in range(1342)]
    above = bytes(100_000)
    blocks.clear()
    assert added_memory(lambda: np.ones(64 * MB, np.uint8)) == pytest.approx(64 * MB, abs=8 * MB)
    assert len(above) == 100_000


def test_what_is_kept_counts_once():
    kept = []
    found = added_memory(lambda: kept.append(np.ones(64 * MB, np.uint8)))
    assert found == pytest.approx(64 * MB, abs=8 * MB)
    assert added_memory(lambda: None) < 8 * MB


@pytest.mark.parametrize('name', ['RESET', 'STATUS'])
def test_a_system_that_does_not_say(monkeypatch, tmp_path, name):
    called = []
    monkeypatch.setattr(memory, name, tmp_path / 'no' / 'such')
    assert added_memory(lambda: called.append(1)) is None and called == [1]
    (tmp_path / 'empty').write_text('')
    monkeypatch.setattr(memory, 'RESET', tmp_path / 'empty')
    monkeypatch.setattr(memory, 'STATUS', tmp_path / 'empty')
    assert added_memory(lambda: called.append(2)) is None
