"""How a command ends: its exit code, and the group of processes that it was part of."""

import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.launch import run_tool, use_amp
from tests.helpers.distributed import run_distributed


def fail(error):
    raise error('planted')


def end(code):
    """Whether there is a group, the exit code of a tool that returns ``code``, and whether the group is still there."""
    before = dist.is_initialized()
    with pytest.raises(SystemExit) as caught:
        run_tool(lambda: code)
    return before, caught.value.code, dist.is_initialized()


@pytest.mark.parametrize('code', [None, 3])
def test_a_process_leaves_its_group(code):
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    assert end(code) == (True, code, False)


def test_two_processes_leave_their_group():
    assert run_distributed(end, 2, 3) == [(True, 3, False)] * 2


FAULT = """
import atexit, logging, sys
import torch.distributed as dist
from osdpm_plugin.launch import run_tool
from tests.test_launch.test_launch import DataError, fail

atexit.register(print, 'cleaned up')
dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
log = open(sys.argv[1], 'w')
log.write('written\\n')
logging.getLogger().addHandler(logging.StreamHandler(log))
print('begun')
run_tool(lambda: fail(DataError))
"""


def test_a_fault_in_a_group_ends_at_once_and_loses_no_word(tmp_path):
    """Python's clean-up waits for processes that are gone, or aborts."""
    log = tmp_path / 'log.txt'
    done = subprocess.run([sys.executable, '-c', FAULT, str(log)], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (2, 'begun\n', 'error: planted\n')
    assert log.read_text() == 'written\n'


@pytest.mark.parametrize('error', [DataError, RuntimeError])
def test_without_a_group(error, capsys):
    with pytest.raises(SystemExit if error is DataError else error):
        run_tool(lambda: fail(error))
    assert capsys.readouterr().err == ('error: planted\n' if error is DataError else '')


@pytest.mark.parametrize(
    ('before', 'dtype'),
    [
        (dict(), 'bfloat16'),
        (dict(type='OptimWrapper'), 'bfloat16'),
        (dict(type='mmengine.OptimWrapper', accumulative_counts=2), 'bfloat16'),
        (dict(type=OptimWrapper), 'bfloat16'),
        (dict(type='AutocastOptimWrapper', dtype='float16', loss_scale=64.0), 'float16'),
        (dict(type='OptimWrapper', dtype='float16'), 'float16'),
    ],
    ids=['none', 'plain', 'scope', 'class', 'already', 'float16'],
)
def test_amp_takes_the_wrapper_of_this_package(before, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = Config(dict(optim_wrapper=before))
    use_amp(cfg)
    assert cfg.optim_wrapper == dict(before, type='AutocastOptimWrapper', dtype=dtype)


@pytest.mark.parametrize(('computes', 'dtype'), [(True, 'bfloat16'), (False, 'float16')])
def test_amp_on_a_gpu(computes, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: computes or including_emulation)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    use_amp(cfg)
    assert cfg.optim_wrapper.dtype == dtype


@pytest.mark.parametrize(
    ('wrapper', 'name'),
    [
        (dict(type='AmpOptimWrapper'), 'AmpOptimWrapper'),
        (dict(type=AmpOptimWrapper), 'AmpOptimWrapper'),
        (dict(type='x.ApexOptimWrapper'), 'ApexOptimWrapper'),
        (None, 'none'),
    ],
)
def test_amp_replaces_no_other_wrapper(wrapper, name):
    with pytest.raises(ConfigError, match=f"--amp .*, but the config's optim_wrapper is {name}; leave --amp"):
        use_amp(Config(dict(optim_wrapper=wrapper) if wrapper else dict()))
