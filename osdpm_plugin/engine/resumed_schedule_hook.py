"""Hook that gives a resumed training the learning rates of its config, where the checkpoint's schedule is another."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop

from ..registry import HOOKS

PROGRESS = ('optimizer', 'base_values', 'last_step', 'verbose', '_global_step', '_last_value')


@HOOKS.register_module()
class ResumedScheduleHook(Hook):
    """Let the schedule of a resumed training be that of its config, at the place that the checkpoint has reached.

    mmengine takes the whole schedule from the checkpoint: a training of 2 epochs that is resumed with
    ``max_epochs=4`` stays at the rate that epoch 2 ended with, which for a cosine is zero. Here the steps so far are
    repeated on the schedule of the config, so that a rate depends on config and step alone: the rates of epochs 3 and 4
    of that training equal, bit for bit, those of epochs 3 and 4 of a training of 4 epochs. Its epochs 1 and 2 had those
    of a training of 2. The same holds for another batch size, which changes the number of steps in an epoch.

    The rates that schedules start from are those of the checkpoint; a config that has others is told so in the log.
    An unchanged schedule, one by a metric (`ReduceOnPlateauParamScheduler`) and those of several optimizers are loaded
    as mmengine loads them.
    """

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Replace the checkpoint's states of schedulers and rates, before they are loaded."""
        now, saved = runner.param_schedulers, checkpoint.get('param_schedulers')
        if not getattr(runner, '_resume', False) or not isinstance(now, list) or not isinstance(saved, list):
            return
        if any(getattr(one, 'need_val_args', False) for one in now) or not all('base_values' in old for old in saved):
            return
        starts = [old['base_values'] for old in saved]
        if [len(one.base_values) for one in now] != [len(start) for start in starts]:
            return  # another number of schedulers or groups, which mmengine sees to
        pairs = ((one.param_name, *pair) for one, start in zip(now, starts) for pair in zip(one.base_values, start))
        other = next((pair for pair in pairs if pair[1] != pair[2]), None)
        if other is not None:
            print_log(
                f'{other[0]} begins at {other[1]:g} in the config and at {other[2]:g} in the checkpoint, which is '
                'kept; to train on with another one, start from the weights with load_from=FILE and without --resume',
                logger='current',
                level=logging.WARNING,
            )
        changed = any(_shape(vars(one)) != _shape({**vars(one), **old}) for one, old in zip(now, saved))
        if not changed:
            return
        groups, optimizer = runner.optim_wrapper.param_groups, checkpoint['optimizer']
        for one, start in zip(now, starts):
            one.base_values, one.last_step, one._global_step = start, -1, -1
            for group, value in zip(groups, start):
                group[one.param_name] = group[f'initial_{one.param_name}'] = value
        _repeat(now, runner, checkpoint['meta'])
        checkpoint['param_schedulers'] = [one.state_dict() for one in now]
        # mmengine's extra group, which has the rate before any factor, is last and saved apart
        for group, old in zip(
            groups, [*optimizer['param_groups'], *filter(None, [optimizer.get('base_param_settings')])]
        ):
            old.update({one.param_name: group[one.param_name] for one in now})
        print_log(
            'the schedule of the config is not that of the checkpoint; the learning rate goes on at '
            f'{groups[0][now[0].param_name]:g}, where a training by this config has it',
            logger='current',
        )


def _shape(state: dict) -> dict:
    """What a scheduler does, without how far it is."""
    return {key: value for key, value in state.items() if key not in PROGRESS}


def _repeat(schedulers: list, runner: Any, meta: dict) -> None:
    """Step fresh schedulers as often as a training by this config has at the place of the checkpoint."""
    by_iter = [one for one in schedulers if not one.by_epoch]
    by_epoch = [one for one in schedulers if one.by_epoch]
    epochs, length = meta['epoch'], len(runner.train_dataloader)
    if isinstance(runner.train_loop, IterBasedTrainLoop):  # it has no epochs
        epochs, length, by_epoch = 1, meta['iter'], []
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # that the optimizer takes no step between
        for one in schedulers:  # as each does when it is built
            one.step()
        for _ in range(epochs):
            for one in by_iter * length:
                one.step()
            for one in by_epoch:
                one.step()
