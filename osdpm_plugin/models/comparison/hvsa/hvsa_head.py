"""HVSA's head: align by curriculum, spread over the hypersphere, learn how to weigh the two."""

from __future__ import annotations

from typing import Any, Optional

from torch import Tensor

from ....registry import MODELS
from ....structures import CaptionBatch, NeckOutput, TextFeatures
from ....utils.checks import check_number
from ....utils.dist import gather_rows
from ...heads.matching_head import MatchingHead
from .loss_mixer import LossMixer

_DEFAULT_ALIGNMENT = dict(type='CurriculumTripletLoss')
_DEFAULT_UNIFORMITY = dict(type='UniformityLoss')


@MODELS.register_module()
class HVSAHead(MatchingHead):
    """A loss on scores and `UniformityLoss` on the images of the global batch.

    Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE
    TGRS 61). It goes with any neck whose embeddings are unit vectors.

    Args:
        alignment: config of the loss on scores.
        uniformity: config of the loss on image embeddings and ids.
        uniformity_weight: a number fixes the weight of the uniformity, and that of the alignment is 1; None learns
            both (`LossMixer`).
        identical_captions: see `MatchingHead`.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        alignment: Any = None,
        uniformity: Any = None,
        uniformity_weight: Optional[float] = None,
        identical_captions: str = 'positive',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(
            losses=[_DEFAULT_ALIGNMENT if alignment is None else alignment],
            identical_captions=identical_captions,
            init_cfg=init_cfg,
        )
        if uniformity_weight is not None:
            check_number('HVSAHead', 'uniformity_weight', uniformity_weight, above=0, hint='None learns it')
        self.uniformity = MODELS.build(_DEFAULT_UNIFORMITY if uniformity is None else uniformity)
        self.uniformity_weight = uniformity_weight
        self.mixer = LossMixer(2) if uniformity_weight is None else None

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

        Returns:
            ``loss_mixed``, and for the log, not to be added, ``alignment``, ``uniformity`` and ``weight_uniformity``;
            with a fixed weight ``loss_<alignment>`` and ``loss_uniformity``.

        Raises:
            ConfigError: there are no scores.
        """
        losses = super().loss(images, texts, captions, scores=scores)
        spread = self.uniformity(gather_rows(images.embedding), gather_rows(captions.image_ids))
        if self.mixer is None:
            return {**losses, 'loss_uniformity': self.uniformity_weight * spread}
        (alignment,) = losses.values()
        mixed, weights = self.mixer([alignment, spread])
        return dict(
            loss_mixed=mixed,
            alignment=alignment.detach(),
            uniformity=spread.detach(),
            weight_uniformity=weights[1].detach(),
        )
