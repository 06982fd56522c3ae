"""A question and a scene -> a map that says of each place how much it is like what is asked: semantic localisation.

The task is that of Yuan et al., "Learning to evaluate performance of multimodal semantic localization", IEEE TGRS 2022,
doi:10.1109/TGRS.2022.3207171: tiles of several sizes are scored against the text, and the value of a pixel is the mean
score of all tiles that cover it, whatever their size.

Interpretation: tiles lie half a tile apart in both directions, where the authors' code cuts two grids, the second half
a tile further down and to the right. A value is that of a cell, which is as large as the smallest stride, in place of a
pixel: a tile that covers a part of a cell counts by that part. Tiles without enough data are left out. The authors'
median filter of 251 pixels is an option, and works on similarities instead of 8-bit grey.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import replace
from typing import Callable, Iterable, Iterator, Optional, Sequence, Union

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..search.encoder import Encoder
from ..utils.checks import check_number
from .archive import Archive
from .embedding import TileEmbedder, Unit
from .filters import Filter
from .grid import Layout, TileGrid
from .localisation_map import SimilarityMap, median_filter, merge
from .planning import make_plan
from .questions import Question
from .records import SceneRecord, read_record
from .scene import PixelRule
from .scene_names import find_scene
from .schema import VECTOR, WINDOW, vectors_of
from .sources import Source

SIZES = (256, 512, 768)  # pixels: the authors' default
FACTORS = (1, 2, 3)  # these, in sides of what the authors' models take

Scored = Iterable[tuple[np.ndarray, np.ndarray]]  # windows (N, 4) and scores (N,) of some tiles


def make_grids(
    sizes: Optional[Sequence[float]] = None,
    *,
    in_metres: bool = False,
    stride: Optional[float] = None,
    own: Optional[TileGrid] = None,
) -> list[TileGrid]:
    """Sides of tiles -> grids.

    Args:
        sizes: sides in pixels or metres; None: 1, 2 and 3 sides of ``own``, or 256, 512 and 768 pixels without it.
        in_metres: they are in metres.
        stride: from a tile to the next, in sides, 0 to 1; None: half a side, or that of ``own`` for its side.
        own: grid of the archive.

    Raises:
        ConfigError: a value is out of range.
    """
    if stride is not None:
        check_number('', 'stride', stride, above=0, most=1)
    side = None if own is None else own.metres if own.tile is None else own.tile
    if sizes is None:
        in_metres = own is not None and own.tile is None
        sizes = SIZES if side is None else [side * factor for factor in FACTORS]
    if not len(sizes):
        raise ConfigError('there are no sizes of tiles; name at least one')
    max_nodata = TileGrid.max_nodata if own is None else own.max_nodata
    grids = []
    for size in sizes:
        if own is not None and stride is None and size == side and in_metres == (own.tile is None):
            grids.append(own)
        elif in_metres:
            step = None if stride is None else stride * size
            grids.append(TileGrid(metres=size, stride_metres=step, max_nodata=max_nodata))
        else:
            step = None if stride is None else max(1, round(stride * size))
            grids.append(TileGrid(tile=size, stride=step, max_nodata=max_nodata))  # type: ignore[arg-type]
    return grids


def locate_in(
    archive: Archive,
    question: Union[str, Question],
    scene: Optional[str] = None,
    *,
    grids: Optional[Sequence[TileGrid]] = None,
    median: Optional[float] = None,
    batch_size: int = 32,
    show_progress: bool = True,
) -> SimilarityMap:
    """Where in a scene of an archive is what is asked.

    Vectors of the archive's own tiles are taken from its store; other tiles are cut and embedded.

    Args:
        archive: with the scene.
        question: in words, or mixed.
        scene: its id, address or file name; None: the scene of the best hit.
        grids: see `make_grids`; None: its defaults.
        median: side in pixels of a median filter that smooths the map; None: none.
        batch_size: tiles a step.
        show_progress: draw a bar on standard error.

    Raises:
        ConfigError: there is no such scene, or a value is out of range.
        DataError: the scene cannot be read, or holds no data.
    """
    question = _as_question(question)
    vector = archive.vector(question)
    if scene is None:
        found = archive.search_many([question], topk=1)[0]
        if not found:
            raise DataError(f'archive {archive.folder} holds no tiles')
        scene = found[0].scene
    record = read_record(archive.folder.record_path(find_scene(archive.records(), scene)))
    own = TileGrid(**archive.maker['grid'])

    def score(grid: TileGrid, layout: Layout) -> Scored:
        stored = _stored(archive, record, vector) if layout == record.layout else []
        return stored or _embedded(
            replace(record, layout=layout),
            vector,
            grid,
            archive.encoder,
            archive.pixel_rule,
            batch_size=batch_size,
            show_progress=show_progress,
        )

    return _make_map(record, archive.pixel_rule, str(question), grids or make_grids(own=own), score, median)


def locate_in_file(
    address: str,
    question: Union[str, Question],
    encoder: Encoder,
    *,
    grids: Optional[Sequence[TileGrid]] = None,
    rule: Optional[PixelRule] = None,
    assume_crs: Optional[str] = None,
    median: Optional[float] = None,
    batch_size: int = 32,
    show_progress: bool = True,
) -> SimilarityMap:
    """Where in a scene that is in no archive is what is asked.

    Args:
        address: path or http(s) address of the scene.
        question: in words, by an image, or mixed.
        encoder: texts and images -> vectors.
        grids: see `make_grids`; None: its defaults.
        rule: how values become colours; None: its defaults.
        assume_crs: as in `Source`.
        median: as in `locate_in`.
        batch_size: tiles a step.
        show_progress: draw a bar on standard error.

    Raises:
        ConfigError: a value is out of range.
        DataError: the scene cannot be read, or holds no data.
    """
    question = _as_question(question)
    vector = question.vector(lambda: encoder, _no_tile)
    grids, rule = grids or make_grids(), rule or PixelRule()
    address = address if re.match('https?://|/vsi', address) else os.path.abspath(address)
    plan = make_plan([Source(address, '', assume_crs=assume_crs)], {}, grid=grids[0], rule=rule)
    if plan.failures:
        raise DataError(f'scene {address}: {plan.failures[0].reason}')
    (record,) = plan.records.values()

    def score(grid: TileGrid, layout: Layout) -> Scored:
        cut = replace(record, layout=layout)
        return _embedded(cut, vector, grid, encoder, rule, batch_size=batch_size, show_progress=show_progress)

    return _make_map(record, rule, str(question), grids, score, median)


def _make_map(
    record: SceneRecord,
    rule: PixelRule,
    query: str,
    grids: Sequence[TileGrid],
    score: Callable[[TileGrid, Layout], Scored],
    median: Optional[float],
) -> SimilarityMap:
    if median is not None:
        check_number('', 'median', median, above=0)
    layouts: dict[Layout, TileGrid] = {}  # a scene smaller than two sizes has one layout for both
    for grid in grids:
        layouts.setdefault(_layout(grid, record), grid)
    scores = [(layout, _in_rows(layout, score(grid, layout))) for layout, grid in layouts.items()]
    if not any(np.isfinite(values).any() for _, values in scores):
        raise DataError(f'no tile of scene {record.source} holds enough data')
    steps = [min(_step(layout.rows, layout.height) for layout in layouts)]
    steps.append(min(_step(layout.columns, layout.width) for layout in layouts))
    cells = tuple(-(-length // step) for length, step in zip(record.shape, steps))
    values = merge(record.shape, scores, cells)  # type: ignore[arg-type]
    if median is not None:
        size = [2 * int(median * count / length / 2) + 1 for length, count in zip(record.shape, cells)]  # odd
        values = median_filter(values, (size[0], size[1]))
    sizes = tuple((layout.height, layout.width) for layout in layouts)
    return SimilarityMap(values.astype(np.float32), record, rule, query, sizes)


def _layout(grid: TileGrid, record: SceneRecord) -> Layout:
    try:
        return grid.layout(record.shape, record.gsd)
    except DataError as error:
        raise DataError(f'scene {record.source}: {error}') from error


def _stored(archive: Archive, record: SceneRecord, vector: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Windows and scores of a scene's rows in the store; none where these are of an older file of the scene."""
    current = {archive.folder.shard_name(path) for path in archive.folder.shard_paths(record)}
    found = []
    for batch in archive.store.scan(['shard', *WINDOW, VECTOR], Filter(scenes=[record.scene])):
        rows = pa.Table.from_batches([batch])
        if not current.issuperset(rows.column('shard').to_pylist()):
            return []
        windows = np.stack([rows.column(name).to_numpy() for name in WINDOW], axis=1)
        found.append((windows, vectors_of(rows).astype(np.float32) @ vector))
    return found


def _embedded(
    record: SceneRecord,
    vector: np.ndarray,
    grid: TileGrid,
    encoder: Encoder,
    rule: PixelRule,
    *,
    batch_size: int,
    show_progress: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut tiles and score them, a unit of work at a time."""
    name = f'Tiles of {record.layout.height} x {record.layout.width} px'
    with tqdm(total=record.tiles, desc=name, unit='tile', disable=not show_progress) as bar:
        embed = TileEmbedder(
            encoder,
            dims=len(vector),
            rule=rule,
            max_nodata=grid.max_nodata,
            batch_size=batch_size,
            advance=bar.update,
        )
        for done in embed(Unit(record, number, ExitStack()) for number in range(record.units)):
            if done.failure is not None:
                raise DataError(f'scene {record.source}: {done.failure}')
            yield done.windows, done.embedding.astype(np.float32) @ vector


def _in_rows(layout: Layout, scored: Scored) -> np.ndarray:
    """(rows, columns) scores of a layout, NaN for tiles that are left out."""
    values = np.full((len(layout.rows), len(layout.columns)), np.nan)
    for windows, scores in scored:
        values[np.searchsorted(layout.rows, windows[:, 0]), np.searchsorted(layout.columns, windows[:, 1])] = scores
    return values


def _step(starts: Sequence[int], side: int) -> int:
    """Pixels from a tile to the next; half a side where the only other one ends at the edge of the scene."""
    return starts[1] - starts[0] if len(starts) > 2 else (side + 1) // 2


def _as_question(question: Union[str, Question]) -> Question:
    return Question(question) if isinstance(question, str) else question


def _no_tile(tile: str) -> np.ndarray:
    raise ConfigError(f'tile {tile!r} belongs to an archive; name the archive in place of the scene')
