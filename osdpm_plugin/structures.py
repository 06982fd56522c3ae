"""Typed values that travel between data sets, towers, neck, head and metric.

Shape letters: B images in a batch, K captions of one image, M captions, T text tokens, C width of a tower, D joint
embedding, O object categories, h w a feature map, S scales.
"""
from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

from mmengine.structures import BaseDataElement
from torch import Tensor


class ImageFeatures(NamedTuple):
    """What an image tower returns.

    Attributes:
        maps: feature maps (B, C_i, h_i, w_i), fine to coarse.
        pooled: global vector (B, D) in the joint space, or None for a tower that has none (ImageNet backbones).
    """
    maps: tuple[Tensor, ...]
    pooled: Optional[Tensor] = None


class TextFeatures(NamedTuple):
    """What a text tower returns.

    Attributes:
        words: token features (M, T, C).
        mask: (M, T) bool, true on tokens that belong to the caption.
        pooled: global vector (M, D).
    """
    words: Tensor
    mask: Tensor
    pooled: Tensor


class NeckOutput(NamedTuple):
    """What a neck returns.

    The embedding comes last since heads of OpenMMLab read ``feats[-1]``: a neck of this plugin serves in an
    `mmpretrain.ImageClassifier` as it is.

    Attributes:
        saliency: (B, h, w), sums to 1 over the map, or None for a neck without attention.
        scale_weights: (B, S), sums to 1 over the scales, or None.
        embedding: (B, D), L2-normalised.
    """
    saliency: Optional[Tensor]
    scale_weights: Optional[Tensor]
    embedding: Tensor


class RetrievalDataSample(BaseDataElement):
    """One image with its captions, as packed by `PackRetrievalInputs` and completed by `ImageTextRetriever.predict`.

    Meta information: ``img_path`` str, ``captions`` list of K str.

    Data fields, before the model (NumPy, so that workers pass them by value):
        image_id: int.
        caption_ids: (K,) int64, unique in the data set.
        caption_keys: (K,) int64, equal for captions of equal normalised text.
        tokens: (K, T) int64.
        object_counts: (O,) float32, share of the image's captions that name each object category (training only).

    Data fields, added by ``predict``:
        image_embed: (D,) float32 tensor.
        text_embed: (K, D) float32 tensor.
    """


def as_image_features(output: Union[ImageFeatures, Tensor, Sequence[Tensor]]) -> ImageFeatures:
    """Read the output of any image tower: ours, or OpenMMLab's tuple of maps (or a single map).

    Args:
        output: ImageFeatures, one map (B, C, h, w), or a sequence of maps.

    Raises:
        TypeError: ``output`` has no (B, C, h, w) map.
    """
    if isinstance(output, ImageFeatures):
        return output
    maps = (output, ) if isinstance(output, Tensor) else tuple(output)
    if not maps or any(not isinstance(m, Tensor) or m.ndim != 4 for m in maps):
        shapes = [tuple(getattr(m, 'shape', ())) for m in maps]
        raise TypeError(f'an image tower must return ImageFeatures or a tuple of (B, C, h, w) maps, got shapes {shapes}; '
                        'for mmpretrain transformers set out_type="featmap"')
    return ImageFeatures(maps=maps, pooled=None)
