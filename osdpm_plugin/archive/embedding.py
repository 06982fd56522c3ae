"""Units of work -> rows of their tiles, while the next tiles are read in the background."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Callable, Generator, Iterable, Iterator, NamedTuple, Optional

import numpy as np
from mmengine.dataset import default_collate
from PIL import Image

from ..errors import DataError
from ..search.encoder import Encoder
from .records import SceneRecord
from .scene import PixelRule
from .tiles import Tile, tiles_of

BATCHES_AHEAD = 4
TRANSFORM_THREADS = 2


class Unit(NamedTuple):
    """A unit of work that this process has claimed.

    Attributes:
        record: the scene.
        number: of the unit, from 0.
        held: releases the claim.
    """

    record: SceneRecord
    number: int
    held: ExitStack


class Done(NamedTuple):
    """A unit that has been worked on.

    Attributes:
        unit: which.
        windows: (N, 4) int32 of the tiles that were embedded.
        nodata: (N,) float64.
        embedding: (N, D) float16.
        empty: number of tiles that were left out since they hold too little data.
        failure: why the unit could not be read; None if it was.
    """

    unit: Unit
    windows: np.ndarray
    nodata: np.ndarray
    embedding: np.ndarray
    empty: int
    failure: Optional[str]


class _End(NamedTuple):
    """Behind the last batch of a unit, or of everything, where ``unit`` is None."""

    unit: Optional[Unit]
    empty: int = 0
    failure: Optional[str] = None


class TileEmbedder:
    """Embed the tiles of units, which one thread reads and others transform while the model works.

    Batches never hold tiles of two units, so that a unit gives the same bits whatever else is built.

    Args:
        encoder: images -> vectors.
        dims: D.
        rule: of the pixels.
        max_nodata: share of pixels without data above which a tile is left out; one without any data always is.
        batch_size: tiles a step.
        advance: called with the number of tiles that are done, empty ones too.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        dims: int,
        rule: PixelRule,
        max_nodata: float,
        batch_size: int,
        advance: Callable[[int], object] = lambda count: None,
    ) -> None:
        self.encoder, self.dims, self.rule = encoder, dims, rule
        self.max_nodata, self.batch_size = max_nodata, batch_size
        self.advance = advance

    def __call__(self, units: Iterable[Optional[Unit]]) -> Generator[Done, None, None]:
        """Embed units in their order. An error of this process, other than one of a scene's file, ends everything.

        Args:
            units: what is to be done; None now and then while there is nothing, so that waiting can be ended.
        """
        waiting: queue.Queue = queue.Queue(maxsize=BATCHES_AHEAD)
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(iter(units), waiting, stop), daemon=True)
        thread.start()
        parts: list[tuple[list[Tile], np.ndarray]] = []
        try:
            while True:
                got = waiting.get()
                if isinstance(got, BaseException):
                    raise got
                if isinstance(got, _End):
                    if got.unit is None:
                        return
                    yield self._done(got.unit, parts, got)
                    parts = []
                else:
                    tiles, batch = got
                    vectors = np.stack([vector.embedding for vector in self.encoder.images(batch)])
                    parts.append((tiles, vectors))
                    self.advance(len(tiles))
        finally:
            stop.set()
            while thread.is_alive():
                _drain(waiting)
                thread.join(timeout=0.05)

    def _done(self, unit: Unit, parts: list[tuple[list[Tile], np.ndarray]], end: _End) -> Done:
        tiles = [tile for group, _ in parts for tile in group]
        vectors = np.concatenate([v for _, v in parts]) if parts else np.zeros((0, self.dims), np.float32)
        failure = end.failure
        if failure is None and not np.isfinite(vectors).all():
            failure = 'its embeddings are not finite; check the checkpoint'
        return Done(
            unit,
            np.stack([tile.window for tile in tiles]) if tiles else np.zeros((0, 4), np.int32),
            np.array([tile.nodata for tile in tiles], np.float64),
            vectors.astype(np.float16),
            end.empty,
            failure,
        )

    def _read(self, units: Iterator[Optional[Unit]], waiting: queue.Queue, stop: threading.Event) -> None:
        """The background thread: tiles -> batches, in order."""
        try:
            with ThreadPoolExecutor(TRANSFORM_THREADS) as pool:
                for unit in units:
                    for item in () if unit is None else self._batches(unit, pool):
                        if stop.is_set():
                            return
                        waiting.put(item)
                    if stop.is_set():
                        return
            waiting.put(_End(None))
        except BaseException as error:  # raised by the thread that waits
            waiting.put(error)

    def _batches(self, unit: Unit, pool: ThreadPoolExecutor) -> Iterator[Any]:
        kept: list[Tile] = []
        empty, failure = 0, None
        try:
            for tile in tiles_of(unit.record, unit.number, self.rule):
                if tile.nodata > self.max_nodata or tile.nodata == 1:
                    empty += 1
                    self.advance(1)
                    continue
                kept.append(tile)
                if len(kept) == self.batch_size:
                    yield self._batch(kept, pool)
                    kept = []
            if kept:
                yield self._batch(kept, pool)
        except DataError as error:
            failure = str(error)
        yield _End(unit, empty, failure)

    def _batch(self, tiles: list[Tile], pool: ThreadPoolExecutor) -> tuple[list[Tile], dict]:
        images = (Image.fromarray(tile.colours) for tile in tiles)  # unlike arrays, red first whatever the encoder
        items = list(pool.map(self.encoder.pipeline, images))
        return [tile._replace(colours=np.empty(0)) for tile in tiles], default_collate(items)


def _drain(waiting: queue.Queue) -> None:
    """Make room, so that a thread which waits for it can see that it shall stop."""
    try:
        while True:
            waiting.get_nowait()
    except queue.Empty:
        pass
