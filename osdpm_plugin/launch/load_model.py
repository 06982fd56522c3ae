"""Config and checkpoint -> the trained model; config alone -> the model, where all its weights are pretrained."""

from __future__ import annotations

from typing import Optional, Union

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import nn

from ..datasets.config_views import hook_of
from ..errors import CheckpointError
from ..models.backbones.freezing import FreezableTower
from ..models.retrievers import TOWERS
from ..pretrained.fit import check_fit, named_weights
from ..registry import MODELS
from .faults import explain


def load_model(
    cfg: Config, checkpoint: Optional[str], device: Union[str, torch.device] = 'cpu', *, scope: Optional[str] = None
) -> nn.Module:
    """Build the model of a config and fill it from a checkpoint, checked as the config checks it before a test.

    Where the run kept moving averages of the weights, the checkpoint's ``state_dict`` holds those.

    Args:
        cfg: the whole config; it is not changed.
        checkpoint: file that was trained with it, or its address; None: see `load_pretrained`.
        scope: default scope of registries; None: the config's.

    Returns:
        The model in evaluation mode.

    Raises:
        ConfigError: the model does not fit its components.
        CheckpointError: the checkpoint is missing, unreadable, or of another model; or none was named, see
            `load_pretrained`.
    """
    saved = None
    if checkpoint is not None:
        saved = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    try:
        with DefaultScope.overwrite_default_scope(scope or cfg.get('default_scope') or 'mmengine'):
            model = MODELS.build(cfg.model)
    except (TypeError, KeyError) as error:
        raise explain(error) from error
    if saved is None:
        load_pretrained(model)
    else:
        allow_missing = hook_of(cfg, 'CheckpointCompatibilityHook').get('allow_missing', ())
        weights = named_weights(saved)
        check_fit(model, weights, allow_missing=allow_missing)
        model.load_state_dict(weights, strict=not allow_missing)
    model.to(device)
    model.eval()  # that of a foreign backbone returns nothing
    return model


def load_pretrained(model: nn.Module) -> None:
    """Fill a model whose towers hold all its weights with those that their ``pretrained`` names: zero-shot CLIP.

    Raises:
        CheckpointError: it has weights that nothing but a training brings, or those of a tower are missing or do not
            fit it.
    """
    towers = {f'{n}.': m for n, m in model.named_modules() if isinstance(m, FreezableTower) and m.pretrained}
    trained = [name for name in model.state_dict() if not name.startswith(tuple(towers))]
    if trained:
        first = min(trained, key=lambda name: name.startswith(TOWERS))  # what stands on the towers says more
        raise CheckpointError(
            f'{len(trained)} weights of the config come from training alone, first {first}; name a checkpoint that was '
            'trained with it, or a config of configs/zero_shot'
        )
    for tower in towers.values():
        tower.load_pretrained()
