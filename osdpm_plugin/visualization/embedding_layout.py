"""Embeddings of images and texts -> points in the plane, arranged so that several models can be compared by eye.

The spaces of two models are unrelated, so a joint t-SNE of both would place them at random. Here each model has its own
t-SNE, of images and texts together; then all are centred and scaled to the same size, and each is rotated and mirrored
onto the first one (orthogonal Procrustes over the same items). Angles and distance ratios within a panel do not change,
and all panels share one pair of axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from ..evaluation.embedded_split import EmbeddedSplit

PERPLEXITY = 30.0


def first_captions(split: EmbeddedSplit) -> np.ndarray:
    """(N,) for each image the position of its caption with the lowest id, the one caption that is drawn."""
    order = np.lexsort((split.caption_ids, split.caption_image_ids))
    owners, first = np.unique(split.caption_image_ids[order], return_index=True)
    place = dict(zip(owners.tolist(), order[first].tolist()))
    return np.array([place[image_id] for image_id in split.image_ids.tolist()])


def tsne(vectors: np.ndarray, *, seed: int = 0, perplexity: float = PERPLEXITY) -> np.ndarray:
    """Unit vectors (P, D) -> points (P, 2) by t-SNE (van der Maaten and Hinton 2008).

    The squared Euclidean distance of unit vectors is 2 - 2 cosine. ``perplexity`` is the effective number of
    neighbours; at most a third of the points is used.

    Raises:
        ConfigError: scikit-learn is not installed, or there are fewer than four points.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ConfigError('t-SNE needs scikit-learn, which is not installed; run pip install scikit-learn') from error
    if len(vectors) < 4:
        raise ConfigError(f'a t-SNE needs 4 points or more, got {len(vectors)}; name a larger split')
    fit = TSNE(perplexity=min(perplexity, (len(vectors) - 1) / 3), init='pca', random_state=seed)
    return fit.fit_transform(np.ascontiguousarray(vectors, dtype=np.float32)).astype(np.float64)


def align(layouts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Layouts (P, 2) of the same P items -> centred, root mean square radius 1, rotated and mirrored onto the first.

    Raises:
        ConfigError: they are not of the same items.
    """
    shapes = {layout.shape for layout in layouts}
    if len(shapes) > 1:
        raise ConfigError(f'layouts of {sorted(shapes)} points cannot be aligned; embed the same split by each model')
    aligned: list[np.ndarray] = []
    for layout in layouts:
        centred = layout - layout.mean(axis=0)
        radius = np.sqrt((centred**2).sum(axis=1).mean())
        centred = centred / (radius if radius > 0 else 1)
        if aligned:
            left, _, right = np.linalg.svd(centred.T @ aligned[0])
            centred = centred @ (left @ right)
        aligned.append(centred)
    return aligned
