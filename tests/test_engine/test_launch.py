"""How a command ends: its exit code, and the group of processes that it was part of."""

import pytest
import torch.distributed as dist

from osdpm_plugin.engine.launch import run_tool
from osdpm_plugin.errors import DataError
from tests.distributed import run_distributed

ENDS = dict(well=(lambda: None, None), code=(lambda: 3, 3), fault=(lambda: fail(DataError), 2))


def fail(error):
    raise error('planted')


def end(name):
    """Exit code, and whether the group is still there."""
    before = dist.is_initialized()
    with pytest.raises(SystemExit) as caught:
        run_tool(ENDS[name][0])
    return before, caught.value.code, dist.is_initialized()


@pytest.mark.parametrize('name', ENDS)
def test_a_process_leaves_its_group(name):
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    assert end(name) == (True, ENDS[name][1], False)


def test_two_processes_leave_their_group():
    assert run_distributed(end, 2, 'fault') == [(True, 2, False)] * 2


def test_a_fault_does_not_wait_for_the_others_of_nccl(monkeypatch):
    """The others may be waiting for this process."""
    ended = []
    monkeypatch.setattr(dist, 'is_initialized', lambda: True)
    monkeypatch.setattr(dist, 'get_backend', lambda: 'nccl')
    monkeypatch.setattr(dist, 'destroy_process_group', lambda: ended.append(True))
    with pytest.raises(SystemExit):
        run_tool(lambda: fail(DataError))
    assert not ended
    with pytest.raises(SystemExit):
        run_tool(lambda: 0)
    assert ended == [True]


@pytest.mark.parametrize('error', [DataError, RuntimeError])
def test_without_a_group(error, capsys):
    with pytest.raises(SystemExit if error is DataError else error):
        run_tool(lambda: fail(error))
    assert capsys.readouterr().err == ('error: planted\n' if error is DataError else '')
