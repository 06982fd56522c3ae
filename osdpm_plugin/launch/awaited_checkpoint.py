"""Towers whose weights come from a checkpoint of the whole model do not read their pretrained weights before."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ContextManager

from ..pretrained.clip_pretrained import weights_follow


def awaiting_checkpoint(cfg: Mapping[str, Any]) -> ContextManager[None]:
    """A context to build a model in that is filled from a checkpoint next, as for a test or a search.

    CLIP towers then neither download nor read what ``pretrained`` names. It changes nothing for a config that does not
    make sure that the checkpoint has every weight: one without `CheckpointCompatibilityHook`, or with keys that may be
    missing.

    Args:
        cfg: the whole config.
    """
    hooks = [hook for hook in cfg.get('custom_hooks') or () if hook.get('type') == 'CheckpointCompatibilityHook']
    return weights_follow() if hooks and not any(hook.get('allow_missing') for hook in hooks) else nullcontext()
