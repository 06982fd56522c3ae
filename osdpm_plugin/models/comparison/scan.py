"""SCAN: words attend to regions, or regions to words, before the two are compared."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import NeckOutput, TextFeatures
from ...utils.checks import check_number, check_one_of
from ..similarities.word_mask import longest_caption, padded_words

_SMALLEST_NORM = 1e-8


def attended_cosines(queries: Tensor, contexts: Tensor, *, inverse_temperature: float, slope: float) -> Tensor:
    """Cosine between each query and the mixture of a context's vectors that it attends to.

    Lee et al., Stacked Cross Attention for Image-Text Matching, 2018, section 3.1: cosines through a leaky rectifier,
    divided by their norm over the queries, times the inverse temperature, softmax over the context.

    The mixtures are never formed. For a query q, weights a and unit vectors C with cosines s = Cq, the cosine with
    the mixture is (a . s) / sqrt(a' G a), where G = C C' is computed once for a context: width D does not enter the
    cost of a pair.

    Args:
        queries: (P, Q, D) unit vectors; padding is zero, and its cosines mean nothing.
        contexts: (N, C, D) unit vectors; padding is zero, which shortens the mixture and leaves its direction.
        inverse_temperature: lambda of the softmax.
        slope: of the rectifier's negative side. Departure: the paper cuts negative cosines to 0; 0.1 is what its
            released code does.

    Returns:
        (N, P, Q): of query q of set p against context n.
    """
    sets, per_set, _ = queries.shape
    cosines = queries.flatten(0, 1) @ contexts.mT  # (N, P * Q, C)
    rectified = F.leaky_relu(cosines, slope).unflatten(1, (sets, per_set))  # (N, P, Q, C)
    logits = inverse_temperature * F.normalize(rectified, dim=2, eps=_SMALLEST_NORM)
    weights = logits.softmax(dim=-1).flatten(1, 2)  # (N, P * Q, C)
    gram = contexts @ contexts.mT  # (N, C, C)
    squared_norms = ((weights @ gram) * weights).sum(dim=-1)  # (N, P * Q)
    norms = squared_norms.clamp(min=_SMALLEST_NORM**2).sqrt()
    return ((weights * cosines).sum(dim=-1) / norms).unflatten(1, (sets, per_set))


def pool_cosines(cosines: Tensor, mask: Optional[Tensor], *, pooling: str, lse_scale: float) -> Tensor:
    """One score from the cosines of all queries: LogSumExp, ln(sum exp(scale * s)) / scale, or the mean.

    Lee et al. 2018, section 3.1.

    Args:
        cosines: (N, P, Q).
        mask: (P, Q) bool, queries that count, at least one in each row; None: all.
        pooling: ``lse`` or ``mean``.
        lse_scale: of LogSumExp.

    Returns:
        (N, P).
    """
    if pooling == 'lse':
        logits = lse_scale * cosines
        if mask is not None:
            logits = logits.masked_fill(~mask, float('-inf'))
        return logits.logsumexp(dim=-1) / lse_scale
    if mask is None:
        return cosines.mean(dim=-1)
    return cosines.masked_fill(~mask, 0.0).sum(dim=-1) / mask.sum(dim=-1)


@MODELS.register_module()
class StackedCrossAttention(BaseModule):
    """Stacked cross attention of Lee et al. 2018 (arXiv 1803.08024) between regions and words; no parameters.

    ::

        t2i: word   ── attends to the image's regions ── cosine(word, mixture)   ── pooled over words
        i2t: region ── attends to the caption's words ── cosine(region, mixture) ── pooled over regions

    Regions and words are L2-normalised here. Computed in float32 under autocast too, since the inverse temperatures
    enlarge rounding.

    In training the columns in which no caption of the batch has a word are cut off first. In evaluation they are
    not, so that the last bits of a score do not depend on the captions scored beside it.

    Args:
        direction: ``t2i``: words attend to regions; ``i2t``: regions attend to words.
        inverse_temperature: lambda of the softmax. The paper's for Flickr30K: 9 (t2i), 4 (i2t).
        pooling: ``lse`` or ``mean``.
        lse_scale: of LogSumExp. The paper's for Flickr30K: 6 (t2i), 5 (i2t).
        slope: of the leaky rectifier.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    indexable = False

    def __init__(
        self,
        *,
        direction: str,
        inverse_temperature: float = 9.0,
        pooling: str = 'lse',
        lse_scale: float = 6.0,
        slope: float = 0.1,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_one_of('StackedCrossAttention', 'direction', direction, ('t2i', 'i2t'))
        check_one_of('StackedCrossAttention', 'pooling', pooling, ('lse', 'mean'))
        check_number('StackedCrossAttention', 'inverse_temperature', inverse_temperature, above=0)
        check_number('StackedCrossAttention', 'lse_scale', lse_scale, above=0)
        check_number('StackedCrossAttention', 'slope', slope, least=0, most=1)
        self.direction = direction
        self.inverse_temperature = inverse_temperature
        self.pooling = pooling
        self.lse_scale = lse_scale
        self.slope = slope

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Regions (B, R, D) of ``images`` and words (M, T, D) of ``texts`` -> scores (B, M).

        Raises:
            ConfigError: the neck gives no regions, or regions and words differ in width.
        """
        if images.regions is None:
            raise ConfigError(
                'StackedCrossAttention: the neck gives no regions; set neck to one that does (RegionNeck)'
            )
        if images.regions.shape[-1] != texts.words.shape[-1]:
            raise ConfigError(
                f'StackedCrossAttention: regions have {images.regions.shape[-1]} values, words '
                f'{texts.words.shape[-1]}; set embed_dims of neck and text_neck to one value'
            )
        words, mask = padded_words(longest_caption(texts) if self.training else texts)
        precision = torch.promote_types(words.dtype, torch.float32)
        with torch.autocast(words.device.type, enabled=False):
            regions = F.normalize(images.regions.to(precision), dim=-1)
            words = F.normalize(words.to(precision), dim=-1)
            options = dict(inverse_temperature=self.inverse_temperature, slope=self.slope)
            if self.direction == 't2i':
                cosines = attended_cosines(words, regions, **options)  # (B, M, T)
                return pool_cosines(cosines, mask, pooling=self.pooling, lse_scale=self.lse_scale)
            cosines = attended_cosines(regions, words, **options)  # (M, B, R)
            return pool_cosines(cosines, None, pooling=self.pooling, lse_scale=self.lse_scale).mT
