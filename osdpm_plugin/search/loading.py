"""Device and checkpoint of an inferencer: checked before anything is searched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Mapping, Optional

import torch
from mmengine.device import get_device
from torch import nn

from ..engine.checkpoint_compatibility_hook import CheckpointCompatibilityHook
from ..errors import ConfigError


def check_device(device: Optional[str]) -> str:
    """The device, or the best that is there.

    Raises:
        ConfigError: it is not there.
    """
    name = get_device() if device is None else device
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f'device={name!r} cannot be used ({reason}); take another, e.g. cpu') from error
    return name


def check_weights(model: nn.Module, checkpoint: Any, cfg: Mapping[str, Any]) -> None:
    """Compare a checkpoint with the model as `CheckpointCompatibilityHook` of the config does before a test.

    Raises:
        CheckpointError: it is of another model, or holds no weights.
    """
    hooks = [hook for hook in cfg.get('custom_hooks') or () if hook['type'] == 'CheckpointCompatibilityHook']
    hook = CheckpointCompatibilityHook(allow_missing=hooks[0].get('allow_missing', ()) if hooks else ())
    hook.after_load_checkpoint(SimpleNamespace(model=model), checkpoint)
