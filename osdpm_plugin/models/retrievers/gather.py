"""Features of this process -> features of all processes, with gradient, for scores over the global batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ...structures import NeckOutput, TextFeatures
from ...utils.dist import gather_rows, max_over_processes


def gather_images(images: NeckOutput) -> NeckOutput:
    """The rows of all processes in the order of ranks; saliency and scale weights, which no score needs, are left out.

    Args:
        images: of B images of this process; regions must have one shape on all processes.
    """
    regions = None if images.regions is None else gather_rows(images.regions)
    return NeckOutput.of(gather_rows(images.embedding), regions=regions)


def gather_texts(texts: TextFeatures) -> TextFeatures:
    """The rows of all processes in the order of ranks, padded to the greatest T among them.

    Args:
        texts: of M captions of this process; T may differ between processes.
    """
    missing = max_over_processes(texts.mask.shape[1], texts.mask.device) - texts.mask.shape[1]
    words: Tensor = F.pad(texts.words, (0, 0, 0, missing))
    mask = F.pad(texts.mask, (0, missing))
    return TextFeatures(
        words=gather_rows(words),
        mask=gather_rows(mask.byte()).bool(),  # bool is no type for gloo
        pooled=gather_rows(texts.pooled),
    )
