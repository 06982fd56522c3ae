"""Image-text alignment: InfoNCE in both directions with several positives."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.checks import check_number, check_one_of
from ...utils.dist import gather_rows

IDENTICAL_CAPTIONS = ('positive', 'ignore', 'negative')


def caption_positives(
    image_ids: Tensor,
    caption_image_ids: Tensor,
    caption_keys: Tensor,
    batch: Optional[tuple[Tensor, Tensor]] = None,
) -> tuple[Tensor, Tensor]:
    """Which captions describe which images.

    Args:
        image_ids: (B,) int64.
        caption_image_ids: (M,) int64, the image that each caption was written for.
        caption_keys: (M,) int64, equal for equal texts.
        batch: ``caption_image_ids`` and ``caption_keys`` of all captions of the batch, where those above are a part.

    Returns:
        own: (B, M) bool, the caption was written for the image.
        same_text: (B, M) bool, the caption was written for another image, but one of the image's own captions in the
            batch has the same text.
    """
    own = image_ids[:, None] == caption_image_ids[None, :]
    owners, texts = (caption_image_ids, caption_keys) if batch is None else batch
    ids, row_of_image = image_ids.unique(return_inverse=True)
    keys, column_of_caption = caption_keys.unique(return_inverse=True)
    relevant = torch.isin(owners, ids) & torch.isin(texts, keys)
    has_text = torch.zeros(len(ids), len(keys), dtype=torch.bool, device=own.device)
    has_text[torch.searchsorted(ids, owners[relevant]), torch.searchsorted(keys, texts[relevant])] = True
    return own, has_text[row_of_image][:, column_of_caption] & ~own


def pair_labels(
    image_ids: Tensor,
    caption_image_ids: Tensor,
    caption_keys: Tensor,
    identical_captions: str,
    batch: Optional[tuple[Tensor, Tensor]] = None,
) -> tuple[Tensor, Tensor]:
    """What each pair of an image and a caption is to a loss; what is neither positive nor ignored is a negative.

    Args:
        image_ids: (B,) int64.
        caption_image_ids, caption_keys: (M,) int64.
        identical_captions: what a caption is to an image that has the same text among its own: ``positive``,
            ``ignore`` or ``negative``.

    Returns:
        positives: (B, M) bool.
        ignored: (B, M) bool, never true where ``positives`` is.

    Example:
        Two images, the first with two captions, of which the second stands under the second image, too.

        >>> owners, keys = torch.tensor([0, 0, 1]), torch.tensor([5, 6, 6])
        >>> pair_labels(torch.tensor([0, 1]), owners, keys, 'positive')[0].int()
        tensor([[1, 1, 1],
                [0, 1, 1]], dtype=torch.int32)
    """
    own, same_text = caption_positives(image_ids, caption_image_ids, caption_keys, batch)
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

    Example:
        >>> scores = torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log()
        >>> positives = torch.eye(2, dtype=torch.bool)
        >>> info_nce(scores, positives, torch.zeros_like(positives))  # (log(4 / 3) + log(2)) / 2
        tensor(0.4904)
    """
    total, rows = _sum_over_rows(scores, positives, ignored)
    return total / rows.clamp(min=1)


def _sum_over_rows(scores: Tensor, positives: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of `info_nce` over the rows that have a positive, and their number, scalars."""
    log_p = scores.masked_fill(ignored, float('-inf')).log_softmax(dim=1)
    counts = positives.sum(dim=1)
    rows = -log_p.masked_fill(~positives, 0.0).sum(dim=1) / counts.clamp(min=1)
    return rows.sum(), (counts > 0).sum()


@MODELS.register_module()
class ContrastiveLoss(nn.Module):
    """Mean of image-to-text and text-to-image `info_nce` under one learnable temperature.

    On several processes the batch is that of all of them. In the plain form each process computes the whole matrix of
    scores, (sum of B, sum of M). With ``local_rows`` it computes two strips in its place, its own images against all
    captions and its own captions against all images, (B, sum of M) and (M, sum of B), with the same value and the same
    gradients. What a process differentiates is then its part of the loss times the number of processes, since DDP
    takes the mean over them; in the plain form that mean is one over equal losses. Either way the gradients of all
    parameters, the temperature's included, are those of one process with the whole batch.

    Args:
        temperature: start of the temperature (CLIP: 0.07).
        max_scale: bound of the logit scale 1 / temperature (CLIP: 100).
        identical_captions: ``positive``, ``ignore`` or ``negative``, see `pair_labels`.
        local_rows: each process computes only the rows of its own part of the batch.

    Attributes:
        local_rows: whether `forward` takes the part of this process and gathers by itself; if not, the whole batch.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> loss = ContrastiveLoss(temperature=1.0)
        >>> images, texts = torch.eye(2), torch.eye(2)
        >>> image_ids = caption_image_ids = torch.tensor([7, 8])
        >>> value = loss(images, texts, image_ids, caption_image_ids, caption_keys=torch.tensor([1, 2]))
        >>> round(value.item(), 4)  # log(1 + 1 / e)
        0.3133
    """

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        max_scale: float = 100.0,
        learnable: bool = True,
        identical_captions: str = 'positive',
        local_rows: bool = False,
    ) -> None:
        super().__init__()
        check_number('ContrastiveLoss', 'max_scale', max_scale, above=0)
        check_number('ContrastiveLoss', 'temperature', temperature, least=1 / max_scale, hint='it is 1 / scale')
        self.identical_captions = check_one_of(
            'ContrastiveLoss', 'identical_captions', identical_captions, IDENTICAL_CAPTIONS
        )
        self.local_rows = local_rows
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
        """Unit vectors (B, D) and (M, D) with their ids -> scalar, equal on all processes."""
        with torch.no_grad():  # on the value, as CLIP does: a clamp in the graph would stop the gradient at the bound
            self.log_scale.clamp_(max=self.max_log_scale)
        if self.local_rows and get_world_size() > 1:
            return self._of_own_rows(image_embed, text_embed, image_ids, caption_image_ids, caption_keys)
        positives, ignored = pair_labels(image_ids, caption_image_ids, caption_keys, self.identical_captions)
        scores = self._scores(image_embed, text_embed)  # (B, M)
        return (info_nce(scores, positives, ignored) + info_nce(scores.mT, positives.mT, ignored.mT)) / 2

    def _scores(self, rows: Tensor, columns: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, enabled=False):  # logits up to max_scale need full precision
            return self.log_scale.exp() * rows.float() @ columns.float().mT

    def _of_own_rows(self, images: Tensor, texts: Tensor, ids: Tensor, owners: Tensor, keys: Tensor) -> Tensor:
        """The value over the global batch, with the gradient of this process's share times the number of processes."""
        batch = gather_rows(owners), gather_rows(keys)
        rule = self.identical_captions
        of_images = pair_labels(ids, *batch, rule)
        of_texts = pair_labels(gather_rows(ids), owners, keys, rule, batch)
        parts = (
            _sum_over_rows(self._scores(images, gather_rows(texts)), *of_images),
            _sum_over_rows(self._scores(texts, gather_rows(images)), *(label.mT for label in of_texts)),
        )
        totals = torch.stack([value.detach().double() for part in parts for value in part])
        dist.all_reduce(totals)  # images: sum, rows; captions: sum, rows
        rows, columns = totals[1].clamp(min=1), totals[3].clamp(min=1)
        own = (parts[0][0] / rows + parts[1][0] / columns) / 2 * get_world_size()
        value = (totals[0] / rows + totals[2] / columns) / 2
        return own + (value - own.detach()).to(own.dtype)
