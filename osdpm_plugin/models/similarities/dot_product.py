"""Embeddings of images and captions -> their dot products, which a search index can compute."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import NeckOutput, TextFeatures


@MODELS.register_module()
class DotProduct(BaseModule):
    """Image embedding . pooled text, the cosine where both are unit vectors. Computed in float32 under autocast too."""

    indexable = True

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Embeddings (B, D) of ``images`` and pooled vectors (M, D) of ``texts`` -> scores (B, M).

        Raises:
            ConfigError: the two sides differ in width.
        """
        image, text = images.embedding, texts.pooled
        if image.shape[1] != text.shape[1]:
            raise ConfigError(
                f'image embeddings have {image.shape[1]} values, text embeddings {text.shape[1]}; set embed_dims of '
                'neck and text_neck to one value'
            )
        precision = torch.promote_types(image.dtype, torch.float32)
        with torch.autocast(image.device.type, enabled=False):
            return image.to(precision) @ text.to(precision).mT
