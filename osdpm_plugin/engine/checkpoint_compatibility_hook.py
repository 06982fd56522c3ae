"""Hook that refuses a checkpoint of another model, of which mmengine would load only the matching weights."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.hooks import Hook

from ..errors import CheckpointError
from ..pretrained.fit import check_fit, named_weights
from ..registry import HOOKS
from ..utils.dist import unwrapped


@HOOKS.register_module()
class CheckpointCompatibilityHook(Hook):
    """Compare the keys and shapes of a loaded checkpoint with the model's before mmengine loads it leniently.

    Args:
        allow_missing: prefixes of model keys that the checkpoint may lack, e.g. ``('head.',)`` when a new head is
            trained. Where it lacks some, the model is initialised first, in a test too.

    Raises:
        CheckpointError: keys or shapes do not match (the sentence has their number and the first of them); or the file
            holds no weights, or no state of a training to resume.
    """

    def __init__(self, *, allow_missing: Sequence[str] = ()) -> None:
        self.allow_missing = tuple(allow_missing)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Called by the runner for ``load_from`` and ``resume`` alike."""
        weights = named_weights(checkpoint)
        if getattr(runner, '_resume', False) and not {'meta', 'message_hub', 'state_dict'} <= checkpoint.keys():
            raise CheckpointError(
                'the checkpoint holds weights without the state of their training, so that it cannot be resumed; '
                'start from these weights with load_from=FILE instead'
            )
        check_fit(unwrapped(runner.model), weights, allow_missing=self.allow_missing)
