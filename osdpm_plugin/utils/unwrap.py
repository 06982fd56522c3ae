"""What a Runner wrapped -> the model itself."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> Any:
    """The model inside `MMDistributedDataParallel` and the like; any other is returned as it is."""
    return model.module if is_model_wrapper(model) else model
