"""Device of an inferencer: checked before anything is loaded."""

from __future__ import annotations

from typing import Optional

import torch
from mmengine.device import get_device

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
