"""Typed values that travel between data sets, towers, neck, head and metric.

Shape letters: B images in a batch, K captions of one image, M captions, T text tokens, C width of a tower, D joint
embedding, O object categories, h w a feature map, S scales, R regions.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Sequence, Union

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


class Regions(NamedTuple):
    """Objects of B images, of a detector or of another proposal of regions, best first.

    Attributes:
        boxes: (B, R, 4), x1, y1, x2, y2 as shares of the image's width and height.
        scores: (B, R), between 0 and 1.
        mask: (B, R) bool, false where an image has fewer than R.
        labels: (B, R) int64, or None for regions without.
        features: (B, R, F), or None for regions without.
    """

    boxes: Tensor
    scores: Tensor
    mask: Tensor
    labels: Optional[Tensor] = None
    features: Optional[Tensor] = None


class ImageFeatures(NamedTuple):
    """What an image tower returns.

    Attributes:
        maps: feature maps (B, C_i, h_i, w_i), fine to coarse.
        pooled: global vector (B, D) in the joint space, or None for a tower that has none (ImageNet backbones).
        regions: objects that were found beforehand, added by the retriever; towers leave it None.
    """

    maps: tuple[Tensor, ...]
    pooled: Optional[Tensor] = None
    regions: Optional[Regions] = None


class TextFeatures(NamedTuple):
    """What a text tower returns, and what a text neck makes of it for similarities that compare words.

    Attributes:
        words: token features (M, T, C); (M, T, D) in the joint space after a neck.
        mask: (M, T) bool, true on tokens that belong to the caption.
        pooled: global vector (M, D).
    """

    words: Tensor
    mask: Tensor
    pooled: Tensor


class PartialImages(NamedTuple):
    """What the frozen part of an image tower makes of images, all that the rest of the tower needs.

    Attributes:
        values: tensors (B, ...), which the tower knows the meaning of: tokens of a ViT; maps of a ResNet, fine to
            coarse, the last of which its trained stages read.
    """

    values: tuple[Tensor, ...]


class PartialTexts(NamedTuple):
    """What the frozen part of a text tower makes of captions, all that the rest of the tower needs.

    Attributes:
        words: token features (M, T, C) before the first trained block.
        mask: (M, T) bool, true on tokens that belong to the caption, which stand first.
    """

    words: Tensor
    mask: Tensor


class NeckOutput(NamedTuple):
    """What a neck returns.

    The embedding comes last since heads of OpenMMLab read ``feats[-1]``: a neck of this plugin serves in an
    `mmpretrain.ImageClassifier` as it is.

    Attributes:
        saliency: (B, h, w), sums to 1 over the map, or None for a neck without attention.
        scale_weights: (B, S), sums to 1 over the scales, or None.
        regions: (B, R, D), vectors of parts of the image in the joint space, or None for a neck without.
        embedding: (B, D); L2-normalised, unless the neck says otherwise for a pairwise similarity.
    """

    saliency: Optional[Tensor]
    scale_weights: Optional[Tensor]
    regions: Optional[Tensor]
    embedding: Tensor

    @classmethod
    def of(
        cls,
        embedding: Tensor,
        *,
        saliency: Optional[Tensor] = None,
        scale_weights: Optional[Tensor] = None,
        regions: Optional[Tensor] = None,
    ) -> NeckOutput:
        """The embedding, with what a neck has beside it."""
        return cls(saliency=saliency, scale_weights=scale_weights, regions=regions, embedding=embedding)


class RetrievalDataSample(BaseDataElement):
    """One image with its captions, as packed by `PackRetrievalInputs` and completed by `ImageTextRetriever.predict`.

    Meta information: ``img_path`` str, ``captions`` list of K str.

    Data fields, before the model (NumPy, so that workers pass them by value):
        image_id: int.
        caption_ids: (K,) int64, unique in the data set.
        caption_keys: (K,) int64, equal for captions of equal normalised text.
        tokens: (K, T) int64.
        object_counts: (O,) float32, share of the image's captions that name each object category (training only).
        tower_pooled: (K, C) float32, the text tower's pooled vectors (cached features only).
        tower_words: (K, T, C) float32, its word features (cached features only).
        tower_lengths: (K,) int64, words of each caption (cached features only). Without ``tower_pooled`` the words are
            those of the frozen part of the text tower, as in `PartialTexts`.
        labels: dict of object category -> how often the image shows it (sets with labels only).
        regions: dict of ``boxes`` (R, 4), ``scores`` (R,) and, where there are any, ``labels`` (R,) int64 and
            ``features`` (R, F), as in `Regions`, best first (`LoadRegions` only).

    Data fields, added by ``predict``:
        image_embed: (D,) float32 tensor.
        text_embed: (K, D) float32 tensor.
        image_regions: (R, D) float32 tensor (similarities of pairs only, where the neck gives regions).
        text_words: K float32 tensors (words of the caption, D) (similarities of pairs only).
    """


class CaptionBatch(NamedTuple):
    """The captions of B samples, one after another; samples may have none.

    Attributes:
        texts: tokens (M, T) int64, or what the text tower, or its frozen part, makes of them, where that was cached.
        image_ids: (B,) int64.
        caption_image_ids: (M,) int64, the image of each caption.
        caption_keys: (M,) int64, equal for equal texts.
        object_counts: (B, O) float32, or None where the pipeline does not count.
        captioned: (B,) bool, or None where all images have captions.
        labels: of each image, object category -> how often it shows it; empty for one without labels.
    """

    texts: Union[Tensor, TextFeatures, PartialTexts]
    image_ids: Tensor
    caption_image_ids: Tensor
    caption_keys: Tensor
    object_counts: Optional[Tensor]
    captioned: Optional[Tensor] = None
    labels: Sequence[Mapping[str, float]] = ()


def as_image_features(output: Union[ImageFeatures, Tensor, Sequence[Tensor]]) -> ImageFeatures:
    """Read the output of any image tower: ours, or OpenMMLab's tuple of maps (or a single map).

    Args:
        output: ImageFeatures, one map (B, C, h, w), or a sequence of maps.

    Raises:
        TypeError: ``output`` has no (B, C, h, w) map.
    """
    if isinstance(output, ImageFeatures):
        return output
    maps = (output,) if isinstance(output, Tensor) else tuple(output)
    if not maps or any(not isinstance(m, Tensor) or m.ndim != 4 for m in maps):
        shapes = [tuple(getattr(m, 'shape', ())) for m in maps]
        raise TypeError(
            f'an image tower must return ImageFeatures or a tuple of (B, C, h, w) maps, got shapes {shapes}; '
            'for mmpretrain transformers set out_type="featmap"'
        )
    return ImageFeatures(maps=maps, pooled=None)


def as_text_features(output: Union[TextFeatures, Tensor]) -> TextFeatures:
    """Read the output of any text neck; of pooled vectors (M, D) alone, each is its caption's only word."""
    if isinstance(output, TextFeatures):
        return output
    return TextFeatures(words=output[:, None], mask=output.new_ones(len(output), 1, dtype=torch.bool), pooled=output)
