"""open_clip's model, its loss and AdamW, in the loop that a user of open_clip writes."""

from __future__ import annotations

import contextlib
from typing import Any, Optional

import numpy as np
import open_clip
import torch
from torch import Tensor

PRECISIONS = dict(fp32=None, bf16=torch.bfloat16)


def running_in(precision: str, kind: str) -> Any:
    """A context: autocast where ``precision`` is ``bf16``; the kind of device is ``cpu`` or ``cuda``."""
    dtype = PRECISIONS[precision]
    return contextlib.nullcontext() if dtype is None else torch.autocast(kind, dtype=dtype)


class BareLoop:
    """open_clip's model, its loss and AdamW, the other side of the comparison.

    Args:
        model: name of an open_clip architecture, or a dict with ``embed_dim``, ``vision_cfg`` and ``text_cfg``.
        optimizer: keyword arguments of AdamW.
        precision: of `PRECISIONS`.
        device: of the model.
        context_length: T; that of the architecture when None.
    """

    def __init__(
        self,
        *,
        model: Any,
        optimizer: dict[str, Any],
        precision: str,
        device: str,
        context_length: Optional[int] = None,
    ) -> None:
        torch.manual_seed(0)
        if isinstance(model, str):
            self.model = open_clip.create_model(
                model, pretrained=None, device=device, force_context_length=context_length
            )
        else:
            changes = {} if context_length is None else dict(context_length=context_length)
            self.model = open_clip.CLIP(**{**model, 'text_cfg': {**model['text_cfg'], **changes}}).to(device)
        self.model.train()
        self.loss = open_clip.ClipLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), **optimizer)
        self.precision = precision

    def step(self, images: Tensor, tokens: Tensor) -> Tensor:
        """One step on normalised images (B, 3, H, W) and tokens (B, T) -> loss, scalar."""
        self.optimizer.zero_grad()
        with running_in(self.precision, images.device.type):
            image_embed = self.model.encode_image(images, normalize=True)
            text_embed = self.model.encode_text(tokens, normalize=True)
            loss = self.loss(image_embed, text_embed, self.model.logit_scale.exp())
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, np.log(100))
        return loss.detach()
