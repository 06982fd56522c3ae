"""Scores of pairs -> losses on the matrix of the global batch."""

from __future__ import annotations

import re
from typing import Any, Optional, Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import CaptionBatch, NeckOutput, TextFeatures
from ...utils.checks import check_one_of
from ...utils.dist import gather_rows
from ..losses.contrastive import IDENTICAL_CAPTIONS, pair_labels
from .contrastive_head import refuse_without_captions


@MODELS.register_module()
class MatchingHead(BaseModule):
    """Losses on the score matrix of the global batch; which pairs are positives is decided by ids and texts.

    Args:
        losses: configs of losses ``(scores (B, M), positives (B, M), ignored (B, M)) -> scalar``, of different types.
            `TripletLoss` is logged as ``loss_triplet``, and so on.
        weights: one for each loss; all 1 when None.
        identical_captions: what a caption is to an image that has the same text among its own: ``positive``,
            ``ignore`` or ``negative``.

    Attributes:
        needs_scores: whether `loss` is to be given the scores of the global batch.
        prompt_tokens: see `ContrastiveHead`.

    Raises:
        ConfigError: a value is out of range.
    """

    needs_scores = True
    prompt_tokens = None

    def __init__(
        self,
        *,
        losses: Sequence[Any],
        weights: Optional[Sequence[float]] = None,
        identical_captions: str = 'positive',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_one_of('MatchingHead', 'identical_captions', identical_captions, IDENTICAL_CAPTIONS)
        self.losses = nn.ModuleList(MODELS.build(loss) for loss in losses)
        self.names = [_log_name(loss) for loss in self.losses]
        self.weights = [1.0] * len(self.losses) if weights is None else list(weights)
        self.identical_captions = identical_captions
        if not self.losses or len(set(self.names)) < len(self.names):
            raise ConfigError(
                f'MatchingHead: losses must be one or more losses of different types, got {len(self.losses)}'
            )
        if len(self.weights) != len(self.losses) or min(self.weights) <= 0:
            raise ConfigError(
                f'MatchingHead: weights must be {len(self.losses)} positive numbers, one for each loss, got '
                f'{self.weights}'
            )

    def loss(
        self,
        images: NeckOutput,
        texts: TextFeatures,
        captions: CaptionBatch,
        *,
        prompts: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """See `ContrastiveHead.loss`.

        Raises:
            ConfigError: there are no scores, or an image has no captions.
        """
        refuse_without_captions(type(self).__name__, captions)
        if scores is None:
            raise ConfigError('MatchingHead: loss needs the scores of the batch; use it in an ImageTextRetriever')
        positives, ignored = pair_labels(
            gather_rows(captions.image_ids),
            gather_rows(captions.caption_image_ids),
            gather_rows(captions.caption_keys),
            self.identical_captions,
        )
        return {
            name: weight * loss(scores, positives, ignored)
            for name, weight, loss in zip(self.names, self.weights, self.losses)
        }


def _log_name(loss: nn.Module) -> str:
    """``TripletLoss`` -> ``loss_triplet``, ``MatchingBCELoss`` -> ``loss_matching_bce``."""
    words = re.findall('[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+', type(loss).__name__.removesuffix('Loss'))
    return '_'.join(['loss', *words]).lower()
