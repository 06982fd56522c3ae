"""Image embeddings with labels, and an embedded prompt of each class -> accuracy of images to classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..errors import MetricError
from .exact_scores import score_matrix
from .ranking import QueryRanks, check_finite
from .recall import hit_probability, recall_at


class ZeroShotAccuracy(NamedTuple):
    """All numbers in percent, exact expectations under ties.

    Attributes:
        images: number of images with labels.
        top1: images one of whose labels scores most.
        top5: images one of whose labels is among the five that score most.
        class_mean: mean of ``top1`` over classes.
        classes: ``top1`` of the images that have the label, by class.
    """

    images: int
    top1: float
    top5: float
    class_mean: float
    classes: dict[str, float]


def zero_shot_accuracy(
    image_embed: np.ndarray, labels: Sequence[Collection[str]], class_embed: np.ndarray, names: Sequence[str]
) -> ZeroShotAccuracy:
    """Classify images by the nearest prompt.

    Args:
        image_embed: (N, D) float32 unit vectors.
        labels: names of the classes of each image; an image without any is left out.
        class_embed: (C, D) float32 unit vectors of the prompts.
        names: of the C classes.

    Raises:
        MetricError: no image has a label, a label is no name, or embeddings are not finite.

    Example:
        >>> vectors = np.eye(2, dtype=np.float32)
        >>> zero_shot_accuracy(vectors[[0, 0, 1]], [{'pond'}, {'park'}, {'park'}], vectors, ['pond', 'park']).classes
        {'pond': 100.0, 'park': 50.0}
    """
    rows = [row for row, own in enumerate(labels) if own]
    unknown = {name for row in rows for name in labels[row]}.difference(names)
    if not rows or unknown:
        problem = f'the label {min(unknown)!r} is none of the classes' if unknown else 'no image has a label'
        raise MetricError(f'{problem}; give a labelled data set, see labels= of its class')
    images, classes = torch.from_numpy(image_embed[rows]), torch.from_numpy(class_embed)
    check_finite(images, rows, 'image')
    check_finite(classes, range(len(names)), 'class')
    scores = score_matrix(images, classes)  # (n, C)
    own = torch.tensor([[name in labels[row] for name in names] for row in rows])
    best = scores.masked_fill(~own, float('-inf')).amax(dim=1, keepdim=True)
    tied = scores == best
    ranks = QueryRanks((scores > best).sum(dim=1), tied.sum(dim=1), (tied & own).sum(dim=1))
    hits = hit_probability(ranks, 1)
    by_class = {name: 100 * float(hits[own[:, c]].mean()) for c, name in enumerate(names) if own[:, c].any()}
    mean = float(np.mean(list(by_class.values())))
    return ZeroShotAccuracy(len(rows), recall_at(ranks, 1), recall_at(ranks, 5), mean, by_class)
