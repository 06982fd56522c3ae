"""Images -> their vectors in order, from the cache where they are there: what is searched."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.dataset import default_collate
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..evaluation.exact_scores import chunks
from ..evaluation.ranking import check_finite
from .cache import EmbeddingCache
from .encoder import Encoder, Vector
from .inputs import ImageInput, Unreadable

KEEP_EVERY = 1024  # images after which new vectors are written to the cache
HASHED_AT_ONCE = 4096  # images whose files wait for a thread
MOST_THREADS = 8


class Skipped(NamedTuple):
    """An image that could not be read.

    Attributes:
        item: its position among the images that were given.
        image: as it was given.
        reason: one sentence.
    """

    item: int
    image: ImageInput
    reason: str


class ImageIndex(NamedTuple):
    """N images that can be searched.

    Attributes:
        images: those that could be read, as they were given.
        items: (N,) int64, their positions among the images that were given.
        embedding: (N, D) float32.
        regions: (N, R, D) float32, or None for models whose scores are dot products, or whose neck gives none.
        skipped: those that could not be read.
        key: of the model that made it, see `embedding_key`.
    """

    images: tuple[ImageInput, ...]
    items: np.ndarray
    embedding: np.ndarray
    regions: Optional[np.ndarray]
    skipped: tuple[Skipped, ...]
    key: str


def build_index(
    images: Sequence[ImageInput],
    *,
    encoder: Encoder,
    cache: Union[str, os.PathLike, None],
    batch_size: int,
    unreadable: Unreadable,
    show_progress: bool,
) -> ImageIndex:
    """Embed images once: those of equal content share a vector, and what the cache knows is not computed again.

    Args:
        images: what to embed.
        encoder: images -> vectors.
        cache: folder of the cache, or None.
        batch_size: images a step.
        unreadable: ``raise`` an error for an image that cannot be read, or ``skip`` it.
        show_progress: draw a bar on standard error while more than a batch of images is embedded.

    Raises:
        DataError: an image cannot be read, or with ``skip`` none can.
        MetricError: embeddings are not finite.
    """
    key = encoder.key
    kept = None if cache is None else EmbeddingCache(cache, key=key)
    attempt = partial(_or_error, unreadable)
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        digests: list[Any] = []  # bytes, or a DataError
        for part in chunks(len(images), HASHED_AT_ONCE):
            digests += pool.map(partial(attempt, encoder.pipeline.digest), images[part])
        image_of: dict[bytes, ImageInput] = {}  # the first of those of equal content
        for digest, image in zip(digests, images):
            if isinstance(digest, bytes):
                image_of.setdefault(digest, image)
        known: dict[bytes, Any] = {} if kept is None else {**kept.read(image_of)}  # vectors, or a DataError
        missing = [pair for pair in image_of.items() if pair[0] not in known]
        fresh: dict[bytes, Vector] = {}
        quiet = not show_progress or len(missing) <= batch_size
        try:
            with tqdm(total=len(missing), desc='Embedding', unit='img', disable=quiet) as bar:
                for part in chunks(len(missing), batch_size):
                    items = pool.map(partial(attempt, partial(_load, encoder)), missing[part])
                    loaded = dict(zip(dict(missing[part]), items))
                    good = {digest: item for digest, item in loaded.items() if not isinstance(item, DataError)}
                    vectors = dict(zip(good, encoder.images(_collate([*good.values()])))) if good else {}
                    known.update({**loaded, **vectors})
                    fresh.update(vectors)
                    bar.update(len(loaded))
                    if len(fresh) >= KEEP_EVERY:
                        _keep(kept, fresh)
        finally:  # an interrupted run goes on where it stopped
            _keep(kept, fresh)
    results = [known.get(digest, digest) for digest in digests]
    skipped = [Skipped(i, images[i], str(one)) for i, one in enumerate(results) if isinstance(one, DataError)]
    places = np.array([i for i, one in enumerate(results) if not isinstance(one, DataError)], dtype=np.int64)
    if not len(places):
        raise DataError(f'none of {len(images)} images can be read, first: {skipped[0].reason}')
    embedding = np.stack([results[i].embedding for i in places])
    regions = [results[i].parts for i in places if results[i].parts is not None]
    check_finite(torch.from_numpy(embedding), places, 'image')
    return ImageIndex(
        images=tuple(images[i] for i in places),
        items=places,
        embedding=embedding,
        regions=np.stack(regions) if regions else None,
        skipped=tuple(skipped),
        key=key,
    )


def _or_error(unreadable: Unreadable, function: Callable[[Any], Any], argument: Any) -> Any:
    """What a function returns, or its `DataError` where the user chose to skip."""
    try:
        return function(argument)
    except DataError as error:
        if unreadable == 'raise':
            raise
        return error


def _load(encoder: Encoder, pair: tuple[bytes, ImageInput]) -> dict:
    """The item of an image whose content is still that of its digest."""
    digest, image = pair
    item = encoder.pipeline(image)
    if encoder.pipeline.digest(image) != digest:
        name = image if isinstance(image, (str, os.PathLike)) else 'in memory'
        raise DataError(f'image {name} changed while it was read; search again')
    return item


def _keep(cache: Optional[EmbeddingCache], fresh: dict[bytes, Vector]) -> None:
    """Move vectors to the cache, if there is one; those that are not finite are never kept."""
    if cache is not None:
        cache.write({digest: vector for digest, vector in fresh.items() if np.isfinite(vector.embedding).all()})
    fresh.clear()


def _collate(items: list[dict]) -> dict:
    shapes = sorted({tuple(item['inputs'].shape) for item in items})
    if len(shapes) > 1:
        raise ConfigError(f'the test pipeline gives images of shapes {shapes}; end it with a Resize to one size')
    return default_collate(items)
