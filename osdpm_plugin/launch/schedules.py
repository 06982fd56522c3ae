"""Epochs of the command line -> ends of the schedule, so that the learning rate ends with the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

LENGTHS = dict(max_epochs=True, max_iters=False)  # key of train_cfg -> by_epoch of the schedulers that it ends


def follow_length(cfg: Config, options: Mapping[str, Any]) -> None:
    """Move the ends of schedulers that lie at the end of the config's training to the end that options set.

    ``end``, ``T_max`` and ``total_steps`` are moved; a step or milestone before the end stays where it is. A scheduler
    that begins after the new end stays too: it has no part in the training.

    Args:
        cfg: before the options are merged, which may overrule this; it is changed.
        options: of ``--cfg-options``.
    """
    train = cfg.get('train_cfg') or {}
    new_train = options.get('train_cfg')
    for key, by_epoch in LENGTHS.items():
        old = train.get(key)
        new = options.get(f'train_cfg.{key}', new_train.get(key) if isinstance(new_train, Mapping) else None)
        if not (type(old) is type(new) is int) or new in (old, 0) or new < 0:
            continue
        schedulers = cfg.get('param_scheduler') or []
        moved = []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if not isinstance(scheduler, dict) or scheduler.get('by_epoch', True) is not by_epoch:
                continue
            ends = _moved_ends(scheduler, old, new)
            scheduler.update(ends)
            moved += [f'{scheduler["type"]}.{name}={value}' for name, value in ends.items()]
        if moved:
            print_log(
                f'{key}={new} instead of {old}: the schedule ends there too ({", ".join(moved)})', logger='current'
            )


def _moved_ends(scheduler: Mapping[str, Any], old: int, new: int) -> dict[str, int]:
    """The new values of those keys of a scheduler that mean the end ``old`` of the training."""
    begin = scheduler.get('begin', 0)
    periods = {key: scheduler[key] for key in ('T_max', 'total_steps') if scheduler.get(key) is not None}
    if scheduler.get('end', old) != old or begin >= new or any(n not in (old - begin, old) for n in periods.values()):
        return {}  # beyond a period of its own a cosine would rise again
    moved = {'end': old, **periods} if 'end' in scheduler else periods
    return {key: length + new - old for key, length in moved.items()}
