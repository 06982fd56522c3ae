"""What a call adds to the memory, with allocations of known size."""

import numpy as np
import pytest

from osdpm_plugin.lab.benchmarks import added_memory as module
from osdpm_plugin.lab.benchmarks.added_memory import added_memory

MB = 2**20


def test_a_planted_allocation_is_found_whatever_was_freed_before():
    """256 MB that are freed before the call hide 96 MB in the high-water mark of the process."""
    np.ones(256 * MB, np.uint8)
    assert added_memory(lambda: np.ones(96 * MB, np.uint8)) == pytest.approx(96 * MB, abs=8 * MB)
    assert added_memory(lambda: None) < 8 * MB


def test_what_is_kept_counts_once():
    kept = []
    found = added_memory(lambda: kept.append(np.ones(64 * MB, np.uint8)))
    assert found == pytest.approx(64 * MB, abs=8 * MB)
    assert added_memory(lambda: None) < 8 * MB


@pytest.mark.parametrize('name', ['RESET', 'STATUS'])
def test_a_system_that_does_not_say(monkeypatch, tmp_path, name):
    called = []
    monkeypatch.setattr(module, name, tmp_path / 'no' / 'such')
    assert added_memory(lambda: called.append(1)) is None and called == [1]
    (tmp_path / 'empty').write_text('')
    monkeypatch.setattr(module, 'RESET', tmp_path / 'empty')
    monkeypatch.setattr(module, 'STATUS', tmp_path / 'empty')
    assert added_memory(lambda: called.append(2)) is None
