"""Config and checkpoint -> the trained model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Union

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from ..engine.checkpoint import load_from_local
from ..engine.checkpoint_compatibility_hook import CheckpointCompatibilityHook
from ..registry import MODELS
from .awaited_checkpoint import awaiting_checkpoint
from .faults import explain


def load_model(cfg: Config, checkpoint: str, device: Union[str, torch.device] = 'cpu') -> nn.Module:
    """Build the model of a config and fill it from a checkpoint, checked as the config checks it before a test.

    Where the run kept moving averages of the weights, the checkpoint's ``state_dict`` holds those.

    Args:
        cfg: the whole config; it is not changed.
        checkpoint: file that was trained with it.
        device: where the model goes.

    Returns:
        The model in evaluation mode.

    Raises:
        ConfigError: the model does not fit its components.
        CheckpointError: the checkpoint is missing, unreadable, or of another model.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmengine'), awaiting_checkpoint(cfg):
            model = MODELS.build(cfg.model)
    except (TypeError, KeyError) as error:
        raise explain(error) from error
    saved = load_from_local(checkpoint)
    hooks = [hook for hook in cfg.get('custom_hooks') or () if hook.get('type') == 'CheckpointCompatibilityHook']
    hook = CheckpointCompatibilityHook(allow_missing=hooks[0].get('allow_missing', ()) if hooks else ())
    hook.after_load_checkpoint(SimpleNamespace(model=model), saved)
    model.load_state_dict(saved.get('state_dict', saved), strict=not hook.allow_missing)
    model.to(device).eval()  # which some models of other packages do not return
    return model
