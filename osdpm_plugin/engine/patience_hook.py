"""Hook that ends a training whose score has not risen for a number of epochs."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.logging import print_log

from ..registry import HOOKS
from ..utils.checks import check_int

BEST, LAST_GAIN = 'patience_best', 'patience_epoch'  # in the message hub, which checkpoints keep


@HOOKS.register_module()
class PatienceHook(Hook):
    """Stop after ``epochs`` epochs without a higher score than the best one before.

    mmengine's `EarlyStoppingHook` counts validations and forgets its count when a training resumes. This one counts
    epochs, whatever the interval of validations, and keeps best score and epoch in the checkpoint: an interrupted
    training stops where an uninterrupted one does, and one that resumes after its stop ends at once.

    Args:
        epochs: the patience. A validation at epoch e ends the training if the best score is of epoch e - epochs or
            earlier.
        monitor: metric of the validation, the greater the better.

    Raises:
        ConfigError: ``epochs`` is not positive.
    """

    def __init__(self, *, epochs: int, monitor: str = 'retrieval/mR') -> None:
        self.epochs = check_int('PatienceHook', 'epochs', epochs)
        self.monitor = monitor

    def before_train(self, runner: Any) -> None:
        """End a training at once that had stopped before it resumed; forget what another training left."""
        if runner.epoch == 0:
            for key in (BEST, LAST_GAIN):
                runner.message_hub.runtime_info.pop(key, None)
        self._stop_if_over(runner)

    def after_val_epoch(self, runner: Any, metrics: Optional[dict] = None) -> None:
        """Compare with the best score so far. The same validation once more changes nothing."""
        if metrics is None or self.monitor not in metrics:
            return
        score, hub = float(metrics[self.monitor]), runner.message_hub
        if hub.get_info(BEST) is None or score > hub.get_info(BEST):
            hub.update_info(BEST, score)
            hub.update_info(LAST_GAIN, runner.epoch)
        self._stop_if_over(runner)

    def _stop_if_over(self, runner: Any) -> None:
        last = runner.message_hub.get_info(LAST_GAIN)
        if last is None or runner.epoch - last < self.epochs or runner.train_loop.stop_training:
            return
        runner.train_loop.stop_training = True
        print_log(
            f'{self.monitor} was {runner.message_hub.get_info(BEST):.2f} after epoch {last} and has not risen for '
            f'{runner.epoch - last} epochs; the training ends',
            logger='current',
        )
