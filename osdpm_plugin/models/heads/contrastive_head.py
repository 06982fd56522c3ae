"""The plain head: image-text alignment alone."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.model import BaseModule
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...utils.dist import gather_rows

_DEFAULT_ALIGNMENT = dict(type='ContrastiveLoss')


@MODELS.register_module()
class ContrastiveHead(BaseModule):
    """Alignment over the global batch: rows of all processes are gathered with gradient.

    Args:
        alignment: config of the alignment loss; one with ``local_rows`` (`ContrastiveLoss`) is given the rows of this
            process and gathers by itself.
        init_cfg: mmengine's.

    Attributes:
        needs_scores: whether `loss` is to be given the scores of the global batch.
    """

    needs_scores = False

    def __init__(self, *, alignment: Any = None, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.alignment = MODELS.build(_DEFAULT_ALIGNMENT if alignment is None else alignment)

    @property
    def prompt_tokens(self) -> Optional[Tensor]:
        """Prompts (P, T) int64 that the retriever is to encode for `loss`; None, this head needs none."""
        return None

    def loss(
        self,
        *,
        image_embed: Tensor,
        text_embed: Tensor,
        image_ids: Tensor,
        caption_image_ids: Tensor,
        caption_keys: Tensor,
        object_counts: Optional[Tensor] = None,
        prompt_embed: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """Losses of one batch of this process.

        Args:
            image_embed: (B, D) unit vectors.
            text_embed: (M, D) unit vectors.
            image_ids: (B,) int64.
            caption_image_ids: (M,) int64, the image of each caption.
            caption_keys: (M,) int64, equal for equal texts.
            object_counts: (B, O) float, not used by this head.
            prompt_embed: (P, D) unit vectors of `prompt_tokens`, not used by this head.
            scores: not used by this head.

        Raises:
            ConfigError: image and text embeddings differ in width.
        """
        if image_embed.shape[1] != text_embed.shape[1]:
            raise ConfigError(
                f'image embeddings have {image_embed.shape[1]} values, text embeddings {text_embed.shape[1]}; set '
                'embed_dims of neck and text_neck to one value'
            )
        batch = (image_embed, text_embed, image_ids, caption_image_ids, caption_keys)
        if not getattr(self.alignment, 'local_rows', False):
            batch = tuple(gather_rows(x) for x in batch)
        return dict(loss_align=self.alignment(*batch))
