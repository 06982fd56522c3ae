"""Embeddings of images and captions -> alignment loss."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.model import BaseModule
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import CaptionBatch, NeckOutput, TextFeatures
from ...utils.dist import gather_rows

_DEFAULT_ALIGNMENT = dict(type='ContrastiveLoss')


@MODELS.register_module()
class ContrastiveHead(BaseModule):
    """Alignment over the global batch: rows of all processes are gathered with gradient.

    Args:
        alignment: config of the alignment loss; one with ``local_rows`` (`ContrastiveLoss`) is given the rows of this
            process and gathers by itself.

    Attributes:
        needs_scores: whether `loss` is to be given the scores of the global batch.
    """

    needs_scores = False

    def __init__(self, *, alignment: Any = None, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.alignment = MODELS.build(_DEFAULT_ALIGNMENT if alignment is None else alignment)

    @property
    def prompt_tokens(self) -> Optional[Tensor]:
        """Prompts (P, T) int64 that the retriever is to embed for `loss`; None, this head needs none."""
        return None

    def loss(
        self,
        images: NeckOutput,
        texts: TextFeatures,
        captions: CaptionBatch,
        *,
        prompts: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """Losses of one batch of this process; the same arguments for all heads.

        Args:
            images: of B images, unit vectors.
            texts: of M captions, unit vectors.
            captions: whose they are.
            prompts: (P, D) unit vectors of `prompt_tokens`.
            scores: (sum of B, sum of M) over all processes, in the order of ranks, where `needs_scores` asks for them.

        Raises:
            ConfigError: image and text embeddings differ in width, or an image has no captions.
        """
        refuse_without_captions(type(self).__name__, captions)
        return dict(loss_align=self._align(images, texts, captions))

    def _align(self, images: NeckOutput, texts: TextFeatures, captions: CaptionBatch) -> Tensor:
        """The alignment of the images that have captions."""
        image_embed, text_embed = images.embedding, texts.pooled
        if image_embed.shape[1] != text_embed.shape[1]:
            raise ConfigError(
                f'image embeddings have {image_embed.shape[1]} values, text embeddings {text_embed.shape[1]}; set '
                'embed_dims of neck and text_neck to one value'
            )
        image_ids = captions.image_ids
        if captions.captioned is not None:
            image_embed, image_ids = image_embed[captions.captioned], image_ids[captions.captioned]
        batch = (image_embed, text_embed, image_ids, captions.caption_image_ids, captions.caption_keys)
        if not getattr(self.alignment, 'local_rows', False):
            batch = tuple(gather_rows(x) for x in batch)
        return self.alignment(*batch)


def refuse_without_captions(owner: str, captions: CaptionBatch) -> None:
    """Refuse a batch some of whose images have no captions, for a head that knows only pairs.

    Raises:
        ConfigError: it has such images.
    """
    if captions.captioned is not None:
        raise ConfigError(
            f'{owner}: {int((~captions.captioned).sum())} of {len(captions.captioned)} images of the batch have no '
            "captions; train on labels with OSFCMHead(label_weight=0.3), or leave them out with others='left_out' or "
            'ratio=0 of MixedDataset'
        )
