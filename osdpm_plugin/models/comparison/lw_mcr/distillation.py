"""Encodings of student and teacher -> losses of their hidden layers and of their scores."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....errors import ConfigError
from ....registry import MODELS
from ....utils.checks import check_number


class Encoding(NamedTuple):
    """What a model makes of B images and M captions.

    Attributes:
        levels: hidden layers of the image tower, fine to coarse, each as vectors (B, C_i).
        image: embeddings (B, D).
        text: embeddings (M, D).
        scores: (B, M).
    """

    levels: tuple[Tensor, ...]
    image: Tensor
    text: Tensor
    scores: Tensor


def relation_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the two models' cosines between samples.

    Similarity-preserving distillation (Tung and Mori, 2019, arXiv 1907.09682): widths may differ, and nothing is
    learned that the student does not keep. Departure: rows are centred over the batch and divided by their norms, so
    that the result does not depend on the scale of either side or on what all samples share.

    Args:
        student: (N, C).
        teacher: (N, C'); no gradient flows to it.

    Returns:
        scalar between 0 and 4.
    """
    difference = _cosines(student) - _cosines(teacher.detach())
    return difference.square().mean()


def _cosines(x: Tensor) -> Tensor:
    unit = F.normalize(x - x.mean(dim=0), dim=-1)
    return unit @ unit.mT


def score_distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) of softmax(scores / temperature), mean of both directions.

    Hinton et al., Distilling the Knowledge in a Neural Network, 2015 (arXiv 1503.02531), with the captions of the batch
    as classes of an image, and the images as classes of a caption.

    Args:
        student: (B, M).
        teacher: (B, M); no gradient flows to it.
        temperature: > 0, in units of the scores.
    """
    student, teacher = student / temperature, teacher.detach() / temperature

    def one_way(mine: Tensor, other: Tensor) -> Tensor:
        return F.kl_div(mine.log_softmax(1), other.log_softmax(1), reduction='batchmean', log_target=True)

    return (one_way(student, teacher) + one_way(student.mT, teacher.mT)) / 2


@MODELS.register_module()
class HiddenSupervisionLoss(nn.Module):
    """Supervision of a student's hidden layers, embeddings and scores by a teacher's.

    Yuan et al., A Lightweight Multi-Scale Crossmodal Text-Image Retrieval Method in Remote Sensing, 2022 (IEEE TGRS 60)
    state that the student acquires the knowledge of the teacher's multi-level layers and of its representation layers;
    equations were not published with code. Interpretation: `relation_distillation` of each level and of the image and
    text embeddings, their mean, is the loss of the hidden layers; `score_distillation` is that of the output. Levels
    are paired from the coarsest on, as many as both models have.

    Args:
        hidden_weight: of the hidden layers' loss; 0 leaves it out.
        output_weight: of the scores' loss; 0 leaves it out.
        temperature: of the scores' softmax.  # ours: for cosines

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, hidden_weight: float = 1.0, output_weight: float = 1.0, temperature: float = 0.1) -> None:
        super().__init__()
        self.hidden_weight = check_number('HiddenSupervisionLoss', 'hidden_weight', hidden_weight, least=0)
        self.output_weight = check_number('HiddenSupervisionLoss', 'output_weight', output_weight, least=0)
        self.temperature = check_number('HiddenSupervisionLoss', 'temperature', temperature, above=0)
        if hidden_weight + output_weight == 0:
            raise ConfigError(
                'HiddenSupervisionLoss: hidden_weight and output_weight are both 0; switch at least one on'
            )

    def forward(self, student: Encoding, teacher: Encoding) -> dict[str, Tensor]:
        """Two encodings of one batch -> ``loss_hidden`` and ``loss_output``, those of weight 0 left out."""
        with torch.autocast(student.scores.device.type, enabled=False):
            losses = {}
            if self.hidden_weight:
                pairs = [*_paired(student.levels, teacher.levels)]
                pairs += [(student.image, teacher.image), (student.text, teacher.text)]
                hidden = [relation_distillation(a.float(), b.float()) for a, b in pairs]
                losses['loss_hidden'] = self.hidden_weight * torch.stack(hidden).mean()
            if self.output_weight:
                losses['loss_output'] = self.output_weight * score_distillation(
                    student.scores.float(), teacher.scores.float(), self.temperature
                )
            return losses


def _paired(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The last with the last, and so on."""
    return list(zip(student[::-1], teacher[::-1]))
