"""AMFMN: the image re-weights the caption's vector before the two are compared."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ....registry import MODELS
from ....structures import NeckOutput, TextFeatures
from ....utils.checks import check_one_of
from ...similarities.widths import check_widths

_SMALLEST_NORM = 1e-8


@MODELS.register_module()
class VisualGuidedSimilarity(BaseModule):
    """Cosine between an image v and a caption t that was re-weighted for that image.

    Visual-guided multimodal fusion of Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote
    Sensing Image Retrieval, 2022 (IEEE TGRS, arXiv 2204.09868); ``*`` is element by element, s the sigmoid:

    - ``soft``:   s(A v) * t
    - ``fusion``: s(A [v, t]) * (B [v, t])
    - ``sim``:    s((A v) * (B t)) * t

    All pairs at once. A linear layer of [v, t] is a layer of v plus a layer of t, each done once for an image or a
    caption; ``soft`` needs two matrix products and no value for a pair but the score, the others (B, M, D) values.

    Departures: ``fusion`` brings v and t to length 1 before it joins them. As they come, one may be many times longer
    than the other (18 times, after an epoch with a frozen image tower and GRU words), and [v, t] then hardly depends on
    the shorter. In ``sim`` the released code multiplies the gate with B t where t stands here. It also builds a gate
    between two vectors that it never calls; it is left out here.

    Args:
        channels: D of both embeddings, which must not be normalised.
        fusion: ``soft``, ``fusion`` or ``sim``.
        init_cfg: mmengine's.

    Raises:
        ConfigError: ``fusion`` is unknown.
    """

    indexable = False

    def __init__(self, *, channels: int, fusion: str = 'soft', init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.channels = channels
        self.fusion = check_one_of('VisualGuidedSimilarity', 'fusion', fusion, ('soft', 'fusion', 'sim'))
        if fusion == 'soft':
            self.image_gate = nn.Linear(channels, channels)
        elif fusion == 'fusion':
            self.pair_gate = nn.Linear(2 * channels, channels)
            self.pair_value = nn.Linear(2 * channels, channels)
        else:
            self.image_key = nn.Linear(channels, channels)
            self.text_key = nn.Linear(channels, channels)

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Embeddings (B, D) of ``images`` and pooled vectors (M, D) of ``texts`` -> cosines (B, M).

        Raises:
            ConfigError: a side has another width than ``channels``.
        """
        image, text = images.embedding, texts.pooled
        check_widths('VisualGuidedSimilarity', self.channels, image, text)
        precision = torch.promote_types(image.dtype, torch.float32)
        with torch.autocast(image.device.type, enabled=False):
            image, text = image.to(precision), text.to(precision)
            if self.fusion == 'soft':
                gate = self.image_gate(image).sigmoid()
                dots, squared_norms = (image * gate) @ text.mT, gate.square() @ text.square().mT
            else:
                guided = self._guide(image, text)  # (B, M, D)
                dots = (guided @ image[:, :, None]).squeeze(-1)
                squared_norms = guided.square().sum(dim=-1)
            norms = image.norm(dim=1, keepdim=True) * squared_norms.clamp(min=_SMALLEST_NORM**2).sqrt()
            return dots / norms.clamp(min=_SMALLEST_NORM)

    def _guide(self, image: Tensor, text: Tensor) -> Tensor:
        """(B, D) and (M, D) -> each caption as each image re-weights it, (B, M, D)."""
        if self.fusion == 'sim':
            return (self.image_key(image)[:, None] * self.text_key(text)).sigmoid() * text
        image, text = F.normalize(image, dim=1, eps=_SMALLEST_NORM), F.normalize(text, dim=1, eps=_SMALLEST_NORM)
        return _of_both(self.pair_gate, image, text).sigmoid() * _of_both(self.pair_value, image, text)


def _of_both(layer: nn.Linear, image: Tensor, text: Tensor) -> Tensor:
    """What ``layer`` makes of [v, t] for all pairs of (B, D) and (M, D) -> (B, M, D)."""
    of_image, of_text = layer.weight.split(image.shape[1], dim=1)
    return F.linear(image, of_image, layer.bias)[:, None] + F.linear(text, of_text)
