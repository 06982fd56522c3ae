"""A full disk while a checkpoint is saved: an earlier one survives and `last_checkpoint` names one that loads."""

from __future__ import annotations

import builtins
import errno
import os
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.hooks import CheckpointHook
from mmengine.runner import find_latest_checkpoint

from osdpm_plugin.engine import AtomicLocalBackend, SafeCheckpointHook, load_from_local
from osdpm_plugin.errors import CheckpointError
from tests.helpers.toy_runner import toy_runner


class Disk:
    """Lets `room` bytes of checkpoints and pointers through, then is full: a write is cut short, as a real one is."""

    def __init__(self, monkeypatch, folder: Path) -> None:
        self.folder, self.room, self.written = str(folder), float('inf'), 0
        self.open = builtins.open
        monkeypatch.setattr(builtins, 'open', self.open_limited)

    def open_limited(self, file, mode='r', *args, **kwargs):
        handle = self.open(file, mode, *args, **kwargs)
        name = os.path.basename(str(file))
        if 'w' in mode and str(file).startswith(self.folder) and ('.pth' in name or 'last_checkpoint' in name):
            return Limited(handle, self)
        return handle


class Limited:
    """A file on a `Disk`."""

    def __init__(self, handle, disk: Disk) -> None:
        self.handle, self.disk = handle, disk

    def __getattr__(self, name: str):
        return getattr(self.handle, name)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.handle.close()

    def write(self, data):
        size = len(data)
        if size > self.disk.room:
            self.handle.write(data[: int(self.disk.room)])
            self.handle.flush()
            self.disk.room = 0
            raise OSError(errno.ENOSPC, 'No space left on device')
        self.disk.room -= size
        self.disk.written += size
        return self.handle.write(data)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth*'))


def assert_resumable(folder: Path) -> None:
    """`last_checkpoint` names a whole file, the best one of that file is there, and training goes on to the end."""
    latest = find_latest_checkpoint(str(folder))
    checkpoint = load_from_local(latest)
    best = checkpoint['message_hub']['runtime_info'].get('best_ckpt')
    assert best is None or load_from_local(best)['state_dict']
    assert not list(folder.glob('*.tmp'))
    runner = toy_runner(folder, epochs=4, resume=True)
    runner.train()
    assert runner.epoch == 4
    assert load_from_local(find_latest_checkpoint(str(folder)))['meta']['epoch'] == 4


@pytest.fixture(scope='module')
def sizes(tmp_path_factory):
    """Bytes after each write of a whole training: where the disk can become full."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp('sizes')
        disk, marks = Disk(patch, folder), []
        write = Limited.write
        patch.setattr(Limited, 'write', lambda self, data: (write(self, data), marks.append(disk.written))[0])
        toy_runner(folder, epochs=4).train()
    return marks


@pytest.mark.stack
@pytest.mark.parametrize('moment', range(4, 12))
def test_full_disk_at_every_write(tmp_path, monkeypatch, sizes, moment):
    """The writes of an epoch are: epoch_N, pointer, best_N, epoch_N again (with the best in it), pointer."""
    disk = Disk(monkeypatch, tmp_path)
    disk.room = (sizes[moment - 1] + sizes[moment]) // 2
    with pytest.raises(CheckpointError) as caught:
        toy_runner(tmp_path, epochs=4).train()
    message = str(caught.value)
    assert 'No space left on device' in message and 'free disk space and continue with --resume' in message
    assert '\n' not in message and '.pth is complete' in message
    disk.room = float('inf')
    assert_resumable(tmp_path)


@pytest.mark.stack
def test_the_original_hook_fails_this(tmp_path, monkeypatch, sizes):
    """Why there is a hook: with mmengine's own no checkpoint is left."""
    disk = Disk(monkeypatch, tmp_path)
    disk.room = (sizes[4] + sizes[5]) // 2
    with pytest.raises(OSError, match='No space left'):
        toy_runner(tmp_path, epochs=4, hook=dict(type='CheckpointHook')).train()
    with pytest.raises(CheckpointError):
        load_from_local(find_latest_checkpoint(str(tmp_path)))


@pytest.mark.stack
@pytest.mark.parametrize(('keep', 'scores'), [(1, [1, 2, 3, 4]), (2, [1, 3, 3, 2]), (-1, [4, 3, 2, 1])])
def test_same_files_as_the_original_when_nothing_fails(tmp_path, keep, scores):
    for name in ('SafeCheckpointHook', 'CheckpointHook'):
        toy_runner(tmp_path / name, epochs=4, scores=scores, hook=dict(type=name, max_keep_ckpts=keep)).train()
    ours, theirs = tmp_path / 'SafeCheckpointHook', tmp_path / 'CheckpointHook'
    assert files(ours) == files(theirs)
    for file in files(ours):
        a, b = load_from_local(str(ours / file)), load_from_local(str(theirs / file))
        assert set(a) == set(b)
        for key in ('keep_ckpt_ids', 'best_score', 'epoch', 'iter'):
            assert a['message_hub']['runtime_info'].get(key) == b['message_hub']['runtime_info'].get(key)
        assert all(torch.equal(a['state_dict'][name], b['state_dict'][name]) for name in a['state_dict'])
    assert Path(find_latest_checkpoint(str(ours))).name == Path(find_latest_checkpoint(str(theirs))).name


@pytest.mark.stack
@pytest.mark.parametrize('scores', [[1, 5, 2, 3], [5, 1, 2, 3]], ids=['the best', 'not the best'])
@pytest.mark.parametrize('epoch', [2, 4])
def test_a_validation_that_an_interruption_cost_is_made_up_for(tmp_path, scores, epoch):
    """The best of four epochs is what it would have been, also where the last validation is missing."""
    toy_runner(tmp_path / 'whole', epochs=4, scores=scores).train()
    stop = [dict(type='StopAt', epoch=epoch - 1, validation=True)]
    with pytest.raises(KeyboardInterrupt):
        toy_runner(tmp_path / 'parts', epochs=4, scores=scores, custom=stop).train()
    assert find_latest_checkpoint(str(tmp_path / 'parts')).endswith(f'epoch_{epoch}.pth')
    resumed = toy_runner(tmp_path / 'parts', epochs=4, scores=scores[epoch - 1 :], resume=True)
    resumed.train()
    assert files(tmp_path / 'parts') == files(tmp_path / 'whole')
    best = next(name for name in files(tmp_path / 'whole') if name.startswith('best'))
    ours, theirs = (load_from_local(str(tmp_path / part / best)) for part in ('parts', 'whole'))
    assert all(torch.equal(ours['state_dict'][name], theirs['state_dict'][name]) for name in theirs['state_dict'])
    assert resumed.message_hub.get_info('best_score') == 5


@pytest.mark.stack
def test_a_validation_that_is_known_or_not_due_is_not_repeated(tmp_path):
    """Of epochs 2 and 4 with an interval of 2; the metric would run out of scores."""
    toy_runner(tmp_path, epochs=2, scores=[1, 2]).train()
    toy_runner(tmp_path, epochs=2, scores=[], resume=True).train()
    runner = toy_runner(tmp_path, epochs=4, scores=[3], resume=True)
    runner._train_loop.update(val_interval=2)
    stopped = toy_runner(tmp_path, epochs=4, scores=[], resume=True, custom=[dict(type='StopAt', epoch=3)])
    stopped._train_loop.update(val_interval=2)
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    assert find_latest_checkpoint(str(tmp_path)).endswith('epoch_3.pth')
    runner.train()
    assert runner.message_hub.get_info('best_score') == 3


@pytest.mark.stack
def test_by_iteration_and_elsewhere(tmp_path):
    """`by_epoch=False` and an `out_dir` of its own."""
    work_dir = tmp_path / 'run'
    hook = dict(by_epoch=False, interval=2, save_best=None, out_dir=str(tmp_path / 'out'))
    toy_runner(work_dir, epochs=2, hook=hook).train()
    assert files(tmp_path / 'out' / 'run') == ['iter_4.pth']
    assert find_latest_checkpoint(str(work_dir)) == str(tmp_path / 'out' / 'run' / 'iter_4.pth')


@pytest.mark.stack
def test_several_best_metrics(tmp_path):
    toy_runner(tmp_path, epochs=3, hook=dict(save_best=['score', 'half'], rule=['greater', 'greater'])).train()
    assert files(tmp_path) == ['best_half_epoch_1.pth', 'best_score_epoch_3.pth', 'epoch_3.pth']


def test_a_backend_that_the_user_names_stays(tmp_path):
    toy_runner(tmp_path, epochs=1, hook=dict(backend_args=dict(backend='local'))).train()
    assert 'epoch_1.pth' in files(tmp_path)


def test_read_only_folder_is_one_sentence(tmp_path):
    denied = mock.Mock(side_effect=PermissionError(errno.EACCES, 'Permission denied'))
    message = r'epoch_1\.pth could not be saved: Permission denied; make the folder writable'
    with (
        mock.patch.object(AtomicLocalBackend, 'put', side_effect=denied),
        pytest.raises(CheckpointError, match=message),
    ):
        toy_runner(tmp_path, epochs=1).train()


@pytest.mark.parametrize('error', [OSError(errno.ENOSPC, 'full'), KeyboardInterrupt()])
def test_atomic_put_keeps_the_old_content(tmp_path, error):
    path = tmp_path / 'deep' / 'file.bin'
    backend = AtomicLocalBackend()
    backend.put(b'old', path)
    with mock.patch.object(os, 'fsync', side_effect=error), pytest.raises(type(error)):
        backend.put(b'new', path)
    assert path.read_bytes() == b'old' and os.listdir(path.parent) == ['file.bin']
    backend.put_text('néw', path)
    assert path.read_text(encoding='utf-8') == 'néw' and os.listdir(path.parent) == ['file.bin']


def test_atomic_put_beside_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    AtomicLocalBackend().put(b'1', 'plain')
    assert (tmp_path / 'plain').read_bytes() == b'1'


def test_arguments_are_those_of_the_original():
    hook = SafeCheckpointHook(interval=3, max_keep_ckpts=2, save_best='score', rule='greater')
    assert isinstance(hook, CheckpointHook)
    assert (hook.interval, hook.max_keep_ckpts, hook.save_best) == (3, 2, ['score'])
