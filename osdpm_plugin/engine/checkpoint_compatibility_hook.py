"""A checkpoint of another model is an error, not a model with half its weights random."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ..errors import CheckpointError
from ..registry import HOOKS


@HOOKS.register_module()
class CheckpointCompatibilityHook(Hook):
    """Compare the keys and shapes of a loaded checkpoint with the model's before mmengine loads it leniently.

    Args:
        allow_missing: prefixes of model keys that the checkpoint may lack, e.g. ``('head.',)`` when a new head is
            trained.

    Raises:
        CheckpointError: with the number and the first of the keys that do not fit.
    """

    def __init__(self, *, allow_missing: Sequence[str] = ()) -> None:
        self.allow_missing = tuple(allow_missing)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Called by the runner for ``load_from`` and ``resume`` alike."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        have = checkpoint.get('state_dict', checkpoint)
        have = {key[len('module.') :] if key.startswith('module.') else key: value for key, value in have.items()}
        want = model.state_dict()
        missing = [k for k in want if k not in have and not k.startswith(self.allow_missing or ('\0',))]
        unexpected = [k for k in have if k not in want]
        reshaped = [
            f'{k} {tuple(have[k].shape)} instead of {tuple(want[k].shape)}'
            for k in want
            if k in have and have[k].shape != want[k].shape
        ]
        faults = [
            f'{len(keys)} {what} (first {keys[0]})'
            for what, keys in (('keys missing', missing), ('unknown keys', unexpected), ('shapes differ', reshaped))
            if keys
        ]
        if faults:
            raise CheckpointError(
                f'the checkpoint is of another model than the config: {", ".join(faults)}; use the config that '
                'it was trained with, or list new parts in CheckpointCompatibilityHook.allow_missing'
            )
