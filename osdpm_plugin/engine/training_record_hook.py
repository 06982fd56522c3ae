"""Hook that writes down what a finished training took: epochs, steps, seconds."""

from __future__ import annotations

import os
import time
from typing import Any, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from ..registry import HOOKS
from ..utils.files import write_json

RECORD_FILE = 'training.json'
SECONDS = 'training_seconds'  # in the message hub, which checkpoints keep


@HOOKS.register_module()
class TrainingRecordHook(Hook):
    """Write ``work_dir/training.json``: ``{epochs, steps, seconds, stopped}``, when a training by epochs ends.

    Seconds are those of the epochs that led to the end, validations excluded. They are kept in the checkpoints, so that
    they add up over interruptions; what a kill threw away is not counted. ``stopped`` tells whether a hook ended the
    training before the last epoch of its config.

    A training that goes on from a checkpoint without these seconds writes nothing, since it does not know them.
    """

    priority = 'VERY_HIGH'  # before the hook that saves checkpoints
    _since: Optional[float] = None

    def before_train(self, runner: Any) -> None:
        """Start at zero, unless the training resumes."""
        if runner.epoch == 0:
            runner.message_hub.update_info(SECONDS, 0.0)

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    def after_train_epoch(self, runner: Any) -> None:
        """Add the seconds of the epoch."""
        before = runner.message_hub.get_info(SECONDS)
        if before is not None and self._since is not None:
            runner.message_hub.update_info(SECONDS, before + time.monotonic() - self._since)

    def after_train(self, runner: Any) -> None:
        """Write the file."""
        seconds = runner.message_hub.get_info(SECONDS)
        if seconds is None or isinstance(runner.train_loop, IterBasedTrainLoop) or not is_main_process():
            return
        content = dict(
            epochs=runner.epoch,
            steps=runner.iter,
            seconds=round(seconds, 1),
            stopped=runner.epoch < runner.max_epochs,
        )
        write_json(os.path.join(runner.work_dir, RECORD_FILE), content, 'record of the training')
