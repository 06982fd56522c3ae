"""Image-text alignment: InfoNCE in both directions with several positives."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS


def caption_positives(image_ids: Tensor, caption_image_ids: Tensor, caption_keys: Tensor) -> tuple[Tensor, Tensor]:
    """Which captions describe which images.

    Args:
        image_ids: (B,) int64.
        caption_image_ids: (M,) int64, the image that each caption was written for.
        caption_keys: (M,) int64, equal for equal texts.

    Returns:
        own: (B, M) bool, the caption was written for the image.
        same_text: (B, M) bool, the caption was written for another image, but one of the image's own captions in the
            batch has the same text.
    """
    own = image_ids[:, None] == caption_image_ids[None, :]
    equal_text = caption_keys[:, None] == caption_keys[None, :]  # (M, M)
    with torch.autocast(own.device.type, enabled=False):
        described = (own.float() @ equal_text.float()) > 0
    return own, described & ~own


def check_identical_captions(value: str, owner: str) -> None:
    """Refuse an unknown rule for `pair_labels`.

    Raises:
        ConfigError: it is unknown.
    """
    if value not in ('positive', 'ignore', 'negative'):
        raise ConfigError(f"{owner}: identical_captions must be 'positive', 'ignore' or 'negative', got {value!r}")


def pair_labels(
    image_ids: Tensor, caption_image_ids: Tensor, caption_keys: Tensor, identical_captions: str
) -> tuple[Tensor, Tensor]:
    """What each pair of an image and a caption is to a loss; what is neither positive nor ignored is a negative.

    Args:
        image_ids: (B,) int64.
        caption_image_ids: (M,) int64.
        caption_keys: (M,) int64.
        identical_captions: what a caption is to an image that has the same text among its own: ``positive``,
            ``ignore`` or ``negative``.

    Returns:
        positives: (B, M) bool.
        ignored: (B, M) bool, never true where ``positives`` is.
    """
    own, same_text = caption_positives(image_ids, caption_image_ids, caption_keys)
    positives = own | same_text if identical_captions == 'positive' else own
    ignored = same_text if identical_captions == 'ignore' else torch.zeros_like(own)
    return positives, ignored


def info_nce(scores: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
    """Mean over rows of the cross entropy between softmax(row) and the uniform distribution over the row's positives.

    ``L_out`` of Khosla et al., Supervised Contrastive Learning, 2020, eq. 2.

    Args:
        scores: (B, M) logits.
        positives: (B, M) bool; rows without any are left out of the mean.
        ignored: (B, M) bool, entries that count neither as positives nor as negatives.

    Returns:
        scalar; 0 (with gradient 0) where no row has a positive.
    """
    log_p = scores.masked_fill(ignored, float('-inf')).log_softmax(dim=1)
    counts = positives.sum(dim=1)
    rows = -log_p.masked_fill(~positives, 0.0).sum(dim=1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


@MODELS.register_module()
class ContrastiveLoss(nn.Module):
    """Mean of image-to-text and text-to-image `info_nce` under one learnable temperature.

    Args:
        temperature: start of the temperature (CLIP: 0.07).
        max_scale: bound of the logit scale 1 / temperature (CLIP: 100).
        learnable: whether the temperature is trained.
        identical_captions: ``positive``, ``ignore`` or ``negative``, see `pair_labels`.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        max_scale: float = 100.0,
        learnable: bool = True,
        identical_captions: str = 'positive',
    ) -> None:
        super().__init__()
        if temperature <= 0 or 1 / temperature > max_scale:
            raise ConfigError(
                f'ContrastiveLoss: temperature must be at least 1 / max_scale = {1 / max_scale}, got {temperature}'
            )
        check_identical_captions(identical_captions, 'ContrastiveLoss')
        self.identical_captions = identical_captions
        self.max_log_scale = math.log(max_scale)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learnable)

    def forward(
        self,
        image_embed: Tensor,
        text_embed: Tensor,
        image_ids: Tensor,
        caption_image_ids: Tensor,
        caption_keys: Tensor,
    ) -> Tensor:
        """Unit vectors (B, D) and (M, D) with their ids -> scalar."""
        positives, ignored = pair_labels(image_ids, caption_image_ids, caption_keys, self.identical_captions)
        with torch.no_grad():  # on the value, as CLIP does: a clamp in the graph would stop the gradient at the bound
            self.log_scale.clamp_(max=self.max_log_scale)
        with torch.autocast(image_embed.device.type, enabled=False):  # logits up to max_scale need full precision
            scores = self.log_scale.exp() * image_embed.float() @ text_embed.float().mT  # (B, M)
        return (info_nce(scores, positives, ignored) + info_nce(scores.mT, positives.mT, ignored.mT)) / 2
