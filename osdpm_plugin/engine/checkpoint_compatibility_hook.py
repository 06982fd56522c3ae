"""Hook that refuses a checkpoint of another model, of which mmengine would load only the matching weights."""

from __future__ import annotations

import re
from typing import Any, Sequence

from mmengine.hooks import Hook

from ..errors import CheckpointError
from ..registry import HOOKS
from ..utils.unwrap import unwrapped


@HOOKS.register_module()
class CheckpointCompatibilityHook(Hook):
    """Compare the keys and shapes of a loaded checkpoint with the model's before mmengine loads it leniently.

    Args:
        allow_missing: prefixes of model keys that the checkpoint may lack, e.g. ``('head.',)`` when a new head is
            trained.

    Raises:
        CheckpointError: keys or shapes do not match (the sentence has their number and the first of them); or the file
            holds no weights, or no state of a training to resume.
    """

    def __init__(self, *, allow_missing: Sequence[str] = ()) -> None:
        self.allow_missing = tuple(allow_missing)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Called by the runner for ``load_from`` and ``resume`` alike."""
        have = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else None
        if not isinstance(have, dict):
            raise CheckpointError('the checkpoint holds no weights by name; name a file that a training has saved')
        if getattr(runner, '_resume', False) and not {'meta', 'message_hub', 'state_dict'} <= checkpoint.keys():
            raise CheckpointError(
                'the checkpoint holds weights without the state of their training, so that it cannot be resumed; '
                'start from these weights with load_from=FILE instead'
            )
        model = unwrapped(runner.model)
        have = {re.sub(r'^module\.', '', str(key)): tuple(getattr(value, 'shape', ())) for key, value in have.items()}
        want = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        missing = [k for k in want if k not in have and not k.startswith(self.allow_missing)]
        unexpected = [k for k in have if k not in want]
        reshaped = [f'{k} {have[k]} instead of {want[k]}' for k in want if k in have and have[k] != want[k]]
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
