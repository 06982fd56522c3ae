"""Embeddings and classes -> numbers that say how well the classes are separated, computed in the full joint space.

Neighbours are found by cosine in all D dimensions; of equal cosines the lower position comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from ..errors import ConfigError
from ..evaluation.embedded_split import EmbeddedSplit
from ..utils.checks import check_int

CHUNK = 512  # queries at a time


class ClusterFigures(NamedTuple):
    """How well a space separates classes.

    Attributes:
        images: number of images with a class; the others are left out.
        classes: number of classes.
        neighbours: k of the figures below.
        silhouette: mean over images, in [-1, 1], of (b - a) / max(a, b) with the cosine distance a to the own class and
            b to the nearest other one (Rousseeuw 1987); 0 for the only image of a class.
        purity: percent of the k nearest other images that are of the image's class, mean over images.
        purity_by_chance: percent, the expected purity of a random order of the images.
        caption_purity: percent of the k nearest captions whose images are of the image's class, mean over images.
        caption_purity_by_chance: percent, likewise.
        overlap: percent of the k nearest other images that are the same by images and by texts, mean over images; the
            text of an image is the mean of its captions (mutual nearest neighbours, Huh et al. 2024).
        overlap_by_chance: percent, k of N - 1.
    """

    images: int
    classes: int
    neighbours: int
    silhouette: float
    purity: float
    purity_by_chance: float
    caption_purity: float
    caption_purity_by_chance: float
    overlap: float
    overlap_by_chance: float


def cluster_figures(split: EmbeddedSplit, labels: Sequence[Optional[str]], *, neighbours: int = 10) -> ClusterFigures:
    """The figures of one split by its N classes; images without one are left out, with their captions.

    If there are fewer than ``neighbours``, all are used.

    Raises:
        ConfigError: ``neighbours`` is out of range, or there are fewer than two classes.
    """
    check_int('', 'neighbours', neighbours)
    kept = np.array([label is not None for label in labels])
    names, label = np.unique(np.array([name for name in labels if name is not None], dtype=str), return_inverse=True)
    if len(names) < 2:
        raise ConfigError(f'figures of clusters need two classes or more, got {len(names)}; choose other classes')
    images = _unit(split.image_embed[kept])
    row_of = {image_id: row for row, image_id in enumerate(split.image_ids[kept].tolist())}
    owned = np.array([owner in row_of for owner in split.caption_image_ids.tolist()])
    owner = np.array([row_of[i] for i in split.caption_image_ids[owned].tolist()])  # (M,) rows of images
    captions = _unit(split.text_embed[owned])
    k = min(neighbours, len(images) - 1)
    near = nearest(images, images, k, same=True)  # (N, k)
    near_captions = nearest(images, captions, min(neighbours, len(captions)))
    near_texts = nearest(*2 * (_unit(_means(captions, owner, len(images))),), k, same=True)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(near, near_texts)]
    sizes, caption_sizes = np.bincount(label), np.bincount(label[owner], minlength=len(names))
    pairs = len(images) * (len(images) - 1)
    return ClusterFigures(
        images=len(images),
        classes=len(names),
        neighbours=k,
        silhouette=silhouette(images, label),
        purity=100 * float((label[near] == label[:, None]).mean()),
        purity_by_chance=100 * float((sizes * (sizes - 1)).sum() / pairs),
        caption_purity=100 * float((label[owner][near_captions] == label[:, None]).mean()),
        caption_purity_by_chance=100 * float((sizes * caption_sizes).sum() / (len(images) * len(captions))),
        overlap=100 * float(np.mean(shared)) / k,
        overlap_by_chance=100 * k / (len(images) - 1),
    )


def nearest(queries: np.ndarray, items: np.ndarray, k: int, *, same: bool = False) -> np.ndarray:
    """Positions (Q, k) of the items (R, D) of the largest dot products with queries (Q, D), best first.

    Of equal ones the lower position comes first. With ``same`` queries are the items, and none is its own neighbour.
    """
    found = []
    for start in range(0, len(queries), CHUNK):
        scores = queries[start : start + CHUNK] @ items.T
        if same:
            np.fill_diagonal(scores[:, start:], -np.inf)
        found.append(np.argsort(-scores, axis=1, kind='stable')[:, :k])
    return np.concatenate(found)


def silhouette(vectors: np.ndarray, label: np.ndarray) -> float:
    """Mean silhouette by cosine distance of unit vectors (N, D) with labels (N,), ints 0 ... G - 1 that all occur."""
    sizes = np.bincount(label)
    sums = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(sums, label, vectors)
    total = sizes - vectors @ sums.T  # (N, G) sums of 1 - cosine
    rows = np.arange(len(vectors))
    own = total[rows, label] / np.maximum(sizes[label] - 1, 1)  # the distance to itself is 0
    others = total / sizes
    others[rows, label] = np.inf
    other = others.min(axis=1)
    largest = np.maximum(own, other)
    value = np.divide(other - own, largest, out=np.zeros_like(own), where=largest > 0)
    return float(np.where(sizes[label] > 1, value, 0).mean())


def _means(captions: np.ndarray, owner: np.ndarray, number: int) -> np.ndarray:
    """Mean caption (number, D) of each image."""
    total = np.zeros((number, captions.shape[1]))
    np.add.at(total, owner, captions)
    return total / np.bincount(owner, minlength=number)[:, None]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float64; a row of zeros stays."""
    vectors = vectors.astype(np.float64)
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norm > 0, norm, 1)
