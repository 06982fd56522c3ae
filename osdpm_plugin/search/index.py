"""Images -> their vectors in order, from the cache where they are there: what queries are put to."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Optional, Sequence, TypeVar, Union

import numpy as np
import torch
from mmengine.dataset import default_collate
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..evaluation.exact_scores import chunks
from ..evaluation.ranking import check_finite
from .cache import EmbeddingCache
from .image_pipeline import ImagePipeline
from .inputs import ImageInput, Unreadable, label_of
from .vectors import ImageVector

KEEP_EVERY = 1024  # images after which new vectors are written to the cache
HASHED_AT_ONCE = 4096  # images whose files wait for a thread
MOST_THREADS = 8
_Result = TypeVar('_Result')


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


class IndexBuilder:
    """Embed images once: those of equal content share a vector, and what the cache knows is not computed again.

    Args:
        pipeline: image -> item of a batch.
        encode: batch of B items -> B vectors.
        key: of the model.
        cache: folder of the cache, or None.
        batch_size: images a step.
        unreadable: ``raise`` an error for an image that cannot be read, or ``skip`` it.
        show_progress: draw a bar on standard error while more than a batch of images is embedded.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        pipeline: ImagePipeline,
        encode: Callable[[dict], list[ImageVector]],
        key: str,
        cache: Union[str, os.PathLike, None],
        batch_size: int,
        unreadable: Unreadable,
        show_progress: bool,
    ) -> None:
        if unreadable not in ('raise', 'skip'):
            raise ConfigError(f"unreadable must be 'raise' or 'skip', got {unreadable!r}")
        self.pipeline = pipeline
        self.encode = encode
        self.key = key
        self.cache = None if cache is None else EmbeddingCache(cache, key=key)
        self.batch_size = check_batch_size(batch_size)
        self.unreadable = unreadable
        self.show_progress = show_progress

    def build(self, images: Sequence[ImageInput]) -> ImageIndex:
        """Read, embed and stack.

        Raises:
            DataError: an image cannot be read, or with ``skip`` none can.
            MetricError: embeddings are not finite.
        """
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            digests: list[Union[bytes, DataError]] = []
            for part in chunks(len(images), HASHED_AT_ONCE):
                digests += pool.map(self._or_error(self.pipeline.digest), images[part])
            first = {d: item for item, d in reversed(list(enumerate(digests))) if isinstance(d, bytes)}
            known = {} if self.cache is None else self.cache.read(first)
            missing = {d: images[first[d]] for d in dict.fromkeys(digests) if isinstance(d, bytes) and d not in known}
            faults = self._embed(pool, missing, known)
        skipped, found = [], []
        for item, digest in enumerate(digests):
            fault = digest if isinstance(digest, DataError) else faults.get(digest)
            if fault is None:
                found.append(item)
            else:
                skipped.append(Skipped(item, images[item], str(fault)))
        if not found:
            raise DataError(f'none of {len(images)} images can be read, first: {skipped[0].reason}')
        vectors = [known[digests[item]] for item in found]  # type: ignore[index]
        regions = [v.regions for v in vectors if v.regions is not None]
        items = np.array(found, dtype=np.int64)
        embedding = np.stack([v.embedding for v in vectors])
        check_finite(torch.from_numpy(embedding), items, 'image')
        return ImageIndex(
            tuple(images[item] for item in found),
            items,
            embedding,
            np.stack(regions) if regions else None,
            tuple(skipped),
            self.key,
        )

    def _or_error(self, function: Callable[[Any], _Result]) -> Callable[[Any], Union[_Result, DataError]]:
        """``function``, whose `DataError` is raised or returned as the user chose."""

        def call(argument: Any) -> Union[_Result, DataError]:
            try:
                return function(argument)
            except DataError as error:
                if self.unreadable == 'raise':
                    raise
                return error

        return call

    def _embed(
        self, pool: ThreadPoolExecutor, missing: dict[bytes, ImageInput], known: dict[bytes, ImageVector]
    ) -> dict[bytes, DataError]:
        """Add the vectors of the missing images to ``known``; returns what is wrong with those that cannot be read."""
        faults: dict[bytes, DataError] = {}
        fresh: dict[bytes, ImageVector] = {}
        pairs = list(missing.items())
        quiet = not self.show_progress or len(pairs) <= self.batch_size
        try:
            with tqdm(total=len(pairs), desc='Embedding', unit='img', disable=quiet) as bar:
                for part in chunks(len(pairs), self.batch_size):
                    loaded = list(pool.map(self._or_error(self._load), pairs[part]))
                    good = []
                    for (digest, _), item in zip(pairs[part], loaded):
                        if isinstance(item, DataError):
                            faults[digest] = item
                        else:
                            good.append((digest, item))
                    if good:
                        vectors = self.encode(_collate([item for _, item in good]))
                        fresh.update(zip((digest for digest, _ in good), vectors))
                    bar.update(len(loaded))
                    if len(fresh) >= KEEP_EVERY:
                        self._keep(fresh, known)
        finally:  # an interrupted run goes on where it stopped
            self._keep(fresh, known)
        return faults

    def _load(self, pair: tuple[bytes, ImageInput]) -> dict:
        """The item of an image whose content is still that of its digest."""
        digest, image = pair
        item = self.pipeline(image)
        if self.pipeline.digest(image) != digest:
            raise DataError(f'image {label_of(image)} changed while it was read; search again')
        return item

    def _keep(self, fresh: dict[bytes, ImageVector], known: dict[bytes, ImageVector]) -> None:
        if self.cache is not None:
            self.cache.write({digest: v for digest, v in fresh.items() if np.isfinite(v.embedding).all()})
        known.update(fresh)
        fresh.clear()


def _collate(items: list[dict]) -> dict:
    shapes = sorted({tuple(item['inputs'].shape) for item in items})
    if len(shapes) > 1:
        raise ConfigError(f'the test pipeline gives images of shapes {shapes}; end it with a Resize to one size')
    return default_collate(items)


def check_batch_size(batch_size: int) -> int:
    """The batch size.

    Raises:
        ConfigError: it is no positive int.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f'batch_size must be an int of at least 1, got {batch_size!r}')
    return batch_size
