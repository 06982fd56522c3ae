"""Training state -> checkpoint files, so that at any moment at least one complete file exists."""

from __future__ import annotations

import errno
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from ..errors import CheckpointError
from ..registry import HOOKS
from ..utils.files import noted_name
from .atomic_backend import AtomicLocalBackend
from .latest_checkpoint import numbered_checkpoints

REMEDIES = {
    errno.ENOSPC: 'free disk space',
    errno.EDQUOT: 'free disk space',
    errno.EACCES: 'make the folder writable',
    errno.EPERM: 'make the folder writable',
    errno.EROFS: 'make the folder writable',
}


VALIDATED = 'last_validation'  # in the message hub: epochs or iterations at the last validation


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook`, made safe against a full disk and a kill during a save.

    The original first removes the files that ``max_keep_ckpts`` or a new best score makes obsolete, then writes the new
    file, then ``last_checkpoint``, both in place; a failure in between can leave no usable file. Here the order is

        write new file -> give it its name -> point ``last_checkpoint`` to it -> remove obsolete files

    where each arrow is one step of the file system. This needs space for one more checkpoint. All arguments are those
    of `CheckpointHook`; the order holds for every storage backend, the atomic write for local folders.

    Nothing outside the folder of this run is removed or overwritten. A training that resumes from a checkpoint of
    another folder, or whose folder was moved or copied, looks for the best checkpoint by its name in its own folder; if
    it is not there, the best one is chosen anew.

    A checkpoint is saved before it is validated. If training resumes from a checkpoint that was not validated yet, it
    begins with that validation, so that a kill in between loses no candidate for the best. (A checkpoint that was
    validated and was not the best may be validated again, with the same result.)

    Raises:
        CheckpointError: a save failed; the sentence names the file, the reason and the last complete checkpoint.
    """

    backend_args: Optional[dict]
    file_backend: Any
    _saved: Optional[str] = None  # newest complete checkpoint of this run
    _meta: Optional[dict] = None  # epoch and iteration of the checkpoint that is being saved

    def before_train(self, runner: Runner) -> None:
        """See `CheckpointHook`; chooses the atomic backend for local folders."""
        if self.file_client_args is None and self.backend_args is None:
            backend = get_file_backend(str(self.out_dir or runner.work_dir))
            if type(backend) is LocalBackend:
                self.backend_args = dict(backend='atomic_local')
        kept = runner.message_hub.runtime_info.get('keep_ckpt_ids')
        if kept is not None:  # of a checkpoint that anybody may have made
            runner.message_hub.update_info('keep_ckpt_ids', [step for step in kept if type(step) is int])
        super().before_train(runner)
        self._look_here(runner)
        earlier = [] if getattr(runner, '_resume', False) else numbered_checkpoints(Path(str(self.out_dir)))
        if earlier:
            print_log(
                f'{self.out_dir} holds checkpoints of an earlier run, the newest is {earlier[-1].name}, and files of '
                'equal name are overwritten; to continue that run, start with --resume',
                logger='current',
                level=logging.WARNING,
            )
        if getattr(runner, '_resume', False) and _lacks_validation(runner):
            runner.val_loop.run()

    def _look_here(self, runner: Runner) -> None:
        """Take what an earlier run noted of its files by their names in this run's folder, or forget it."""
        hub = runner.message_hub
        for key in [key for key in hub.runtime_info if key == 'best_ckpt' or key.startswith('best_ckpt_')]:
            noted = str(hub.get_info(key))
            name = noted_name(noted)
            here = self.file_backend.join_path(self.out_dir, name)
            metric = key[len('best_ckpt_') :]
            if not name.startswith('best_') or not (self.file_backend.isfile(here) or self.file_backend.isdir(here)):
                print_log(
                    f'the best checkpoint so far, {noted}, is not in {self.out_dir}; the best one is chosen anew',
                    logger='current',
                    level=logging.WARNING,
                )
                here = None
                hub.runtime_info.pop(f'best_score_{metric}' if metric else 'best_score', None)
                hub.runtime_info.pop(key)
            else:
                hub.update_info(key, here)
            if metric and hasattr(self, 'best_ckpt_path_dict'):
                self.best_ckpt_path_dict[metric] = here
            elif not metric and hasattr(self, 'best_ckpt_path'):
                self.best_ckpt_path = here

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """See `CheckpointHook`; also records the validation in the message hub, which is saved."""
        runner.message_hub.update_info(VALIDATED, _position(runner))
        super().after_val_epoch(runner, metrics)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Correct the epoch and iteration: after a validation FlexibleRunner saves numbers that are one too large."""
        if self._meta is not None:
            checkpoint['meta'].update(self._meta)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save, then remove what ``max_keep_ckpts`` makes obsolete (the original does it in the other order)."""
        outdated = None
        if self.max_keep_ckpts > 0 and not (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)  # a deque with maxlen: drops the first
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)

        with self._explain(self.last_ckpt), self._counted(meta):
            runner.save_checkpoint(
                self.out_dir,
                filename,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
        if not is_main_process():
            return
        pointer = AtomicLocalBackend().join_path(runner.work_dir, 'last_checkpoint')
        with self._explain(pointer):
            AtomicLocalBackend().put_text(str(self.last_ckpt), pointer)
        self._saved = str(self.last_ckpt)
        if outdated is not None and outdated != self.last_ckpt:
            _remove(self.file_backend, outdated)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save, then remove the previous best (the original does it in the other order)."""
        backend = self.file_backend
        self.file_backend = deferred = _DeferredRemoval(backend)
        try:
            with self._explain('the best checkpoint'), self._counted(dict(epoch=runner.epoch, iter=runner.iter)):
                super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        best = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        for path in deferred.obsolete:
            if path not in best:
                _remove(backend, path)

    @contextmanager
    def _counted(self, meta: dict) -> Iterator[None]:
        """Checkpoints saved in this context have the epoch and iteration of ``meta``, which FlexibleRunner changes."""
        before = self._meta
        self._meta = before or dict(meta)
        try:
            yield
        finally:
            self._meta = before

    @contextmanager
    def _explain(self, path: object) -> Iterator[None]:
        """A failed write -> one sentence."""
        try:
            yield
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0, 'solve that')
            left = f'{self._saved} is complete, ' if self._saved else ''
            raise CheckpointError(
                f'{path} could not be saved: {error.strerror or error}; {left}{remedy} and continue with --resume'
            ) from error


class _DeferredRemoval:
    """A storage backend that collects removals instead of doing them."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self.obsolete: list[str] = []

    def remove(self, path: str) -> None:
        """Collect a file."""
        self.obsolete.append(path)

    rmtree = remove

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)


def _position(runner: Runner) -> int:
    """Number of finished iterations or epochs, whichever the training loop counts."""
    return runner.iter if isinstance(runner.train_loop, IterBasedTrainLoop) else runner.epoch


def _lacks_validation(runner: Runner) -> bool:
    """Whether the loop validates at its current position, and the checkpoint was saved before that validation."""
    loop: Any = runner.train_loop
    done = _position(runner)
    if runner.val_loop is None or done == 0 or runner.message_hub.get_info(VALIDATED, -1) == done:
        return False
    loop._decide_current_val_interval()
    last = done == (loop.max_iters if isinstance(loop, IterBasedTrainLoop) else loop.max_epochs)
    return done >= loop.val_begin and (done % loop.val_interval == 0 or last)


def _remove(backend: LocalBackend, path: str) -> None:
    """Remove a checkpoint: a file, or a folder (DeepSpeed)."""
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):
        backend.rmtree(path)
