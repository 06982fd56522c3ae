"""Weights and a model -> how they differ; a checkpoint and a model -> weights that fit it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError

# Other names than mmengine's ``state_dict``, by preference: of BLIP and its like (PIR, HarMA), of torch, of averages.
WRAPPERS = ('model', 'model_state_dict', 'net', 'state_dict_ema', 'model_ema')


def misfit(model: nn.Module, weights: Mapping[str, Any], *, allow_missing: Sequence[str] = ()) -> str:
    """How weights differ from those of a model, with the number and the first of each kind; '' where they fit.

    Example:
        >>> import torch
        >>> misfit(nn.Linear(3, 2), dict(weight=torch.zeros(3, 3)))
        '1 keys missing (first bias (2,)), 1 shapes differ (first weight (3, 3) instead of (2, 3))'
    """
    have = {key: tuple(getattr(value, 'shape', ())) for key, value in weights.items()}
    want = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing = [f'{k} {want[k]}' for k in want if k not in have and not k.startswith(tuple(allow_missing))]
    unknown = [f'{k} {have[k]}' for k in have if k not in want]
    reshaped = [f'{k} {have[k]} instead of {want[k]}' for k in want if k in have and have[k] != want[k]]
    return ', '.join(
        f'{len(keys)} {what} (first {keys[0]})'
        for what, keys in (('keys missing', missing), ('unknown keys', unknown), ('shapes differ', reshaped))
        if keys
    )


def wrapped_weights(checkpoint: Any) -> Any:
    """What the content of a checkpoint file holds under the name that trainings give to weights, else the content.

    That of moving averages counts where there is no other.
    """
    if not isinstance(checkpoint, Mapping):
        return checkpoint
    if 'state_dict' in checkpoint:
        return checkpoint['state_dict']
    for weights in map(checkpoint.get, WRAPPERS):
        if isinstance(weights, Mapping) and any(isinstance(value, Tensor) for value in weights.values()):
            return weights
    return checkpoint


def named_weights(checkpoint: Any, file: str = 'the checkpoint') -> dict[str, Any]:
    """The weights in the content of a checkpoint file, by the names of the model, without the ``module.`` of DDP.

    Raises:
        CheckpointError: ``file``, as messages call it, holds no weights by name.
    """
    weights = wrapped_weights(checkpoint)
    if not isinstance(weights, Mapping):
        raise CheckpointError(f'{file} holds no weights by name; name a file that a training has saved')
    return {re.sub(r'^module\.', '', str(key)): value for key, value in weights.items()}


def check_fit(model: nn.Module, weights: Mapping[str, Any], *, allow_missing: Sequence[str] = ()) -> None:
    """Refuse the weights of another model, before they are loaded.

    Where weights are missing that may be, and the model was only built (as for a test), it is initialised: towers read
    what ``pretrained`` names.

    Raises:
        CheckpointError: with the number and the first of the keys that do not fit.
    """
    found = misfit(model, weights, allow_missing=allow_missing)
    if found:
        raise CheckpointError(
            f'the checkpoint is of another model than the config: {found}; use the config that it was trained with, or '
            'list new parts in CheckpointCompatibilityHook.allow_missing'
        )
    if not model.state_dict().keys() <= weights.keys() and not getattr(model, 'is_init', True):
        model.init_weights()  # type: ignore[operator]  # what has is_init has this
