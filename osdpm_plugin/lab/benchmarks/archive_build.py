"""Scenes -> the time and memory of a build, against the forward pass of the model on tensors in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import rasterio
from mmengine.config import Config
from mmengine.dataset import default_collate
from rasterio.transform import from_origin

from ...archive.building import Builder, dims_of
from ...archive.folder import ArchiveFolder
from ...archive.grid import TileGrid
from ...archive.maker import make_maker
from ...archive.planning import make_plan
from ...archive.scene import PixelRule
from ...archive.sources import Source, file_signature
from ...archive.tiles import tiles_of
from ...datasets.scenes import render_scene
from ...registry import MODELS
from ...search.encoder import Encoder
from .memory import memory_slope, resident_memory
from .report import Goal, comparison
from .timing import Pairs, min_median_max, rounds
from .training_step import training_model

CONFIGS = ('configs/osdpm_rsitmd.py', 'configs/regimes/rn50_frozen_rsitmd.py')
SMALL = 'configs/osdpm_scenes.py'
GOAL = Goal('at least', 0.95)
READ_GOAL = 300.0  # tiles a second
UPDATE_GOAL = Goal('at most', 1 / 200)
TILE, STRIDE = 224, 112
_GROUND = (500_000, 4_000_000, 0.5, 0.5)


def write_scenes(folder: Path, count: int, side: int) -> list[Source]:
    """Tiled GeoTIFFs, deflated: procedural pictures side by side, each scene shifted against the others."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = range(-(-side // 256))
    mosaic = np.concatenate([np.concatenate([render_scene((r, c)).image for c in pictures], axis=1) for r in pictures])
    sources = []
    for number in range(count):
        pixels = np.roll(mosaic, (37 * number, 53 * number), (0, 1))[:side, :side].transpose(2, 0, 1)
        path = folder / f'scene{number:05d}.tif'
        profile = dict(
            driver='GTiff', tiled=True, compress='deflate', crs='EPSG:32650', transform=from_origin(*_GROUND)
        )
        with rasterio.open(path, 'w', count=3, dtype='uint8', height=side, width=side, **profile) as file:
            file.write(pixels)
        sources.append(Source(str(path), file_signature(str(path))))
    return sources


def compare_build(
    cfg: Config, folder: Path, *, repeats: int, side: int = 2016, batch_size: int = 16, device: str = 'cpu'
) -> list[dict[str, Any]]:
    """Time a build of one scene, its tiles' forward pass, and reading alone, in turns.

    Args:
        cfg: of the model, with random or pretrained weights as it says.
        folder: empty; scenes and archives go there.
        repeats: passes of each side.
        side: pixels of the scene.
        batch_size: tiles a step.
        device: of the model.

    Returns:
        one row of `report.comparison`, with ``read_tiles_per_second``, its goal, and the number of tiles.
    """
    encoder = Encoder(training_model(cfg, device).eval(), cfg)
    sources = write_scenes(folder / 'scenes', 1, side)
    grid, rule = TileGrid(TILE, STRIDE), PixelRule()
    plan = make_plan(sources, {}, grid=grid, rule=rule)
    (record,) = plan.records.values()
    tiles = [tile for unit in range(record.units) for tile in tiles_of(record, unit, rule)]
    items = [encoder.pipeline(tile.colours) for tile in tiles]
    batches = [default_collate(items[i : i + batch_size]) for i in range(0, len(items), batch_size)]
    maker = make_maker(encoder, dims=dims_of(encoder), grid=grid, pixels=rule)
    made = iter(range(10_000))

    def build() -> None:
        _builder(folder / f'archive{next(made)}', encoder, maker, cfg, batch_size)(sources)

    def forward() -> None:
        for batch in batches:
            encoder.images(batch)

    def read() -> None:
        for unit in range(record.units):
            for tile in tiles_of(record, unit, rule):
                encoder.pipeline(tile.colours)

    built, alone, reading = rounds((build, forward, read), repeats=repeats, device=device)
    speed = len(tiles) / min_median_max(reading).median
    return [
        comparison(
            what=f'archive of {len(tiles)} tiles, {_tower(cfg)}',
            ours='build',
            theirs='forward pass on tensors in memory',
            pairs=Pairs(built, alone),
            goal=GOAL,
            details=dict(
                tiles=len(tiles),
                tiles_per_second=len(tiles) / min_median_max(built).median,
                read_tiles_per_second=speed,
                read_goal=READ_GOAL,
                read_met=speed >= READ_GOAL,
            ),
        )
    ]


def compare_update(cfg: Config, folder: Path, *, scenes: int, side: int = 448) -> dict[str, Any]:
    """Time a full build of many small scenes, and an update after one of them has changed; the memory of the build.

    With a small model, what is not the model's is seen.

    Args:
        cfg: of the model, which gets random weights.
        folder: empty.
        scenes: number of scenes.
        side: pixels of a scene.

    Returns:
        a row of `report.comparison` with ``memory_slope``, MB an hour and for each thousand tiles.
    """
    encoder = Encoder(MODELS.build(cfg.model).eval(), cfg)
    sources = write_scenes(folder / 'scenes', scenes, side)
    maker = make_maker(encoder, dims=dims_of(encoder), grid=TileGrid(TILE, STRIDE), pixels=PixelRule())
    archive = folder / 'archive'
    samples: list[tuple[float, float, int]] = []
    begin = time.perf_counter()

    class Watched(Builder):
        """A builder that notes the memory after each unit."""

        def _keep(self, done: Any, report: Any, given_up: Any) -> None:
            super()._keep(done, report, given_up)
            samples.append((time.perf_counter() - begin, resident_memory()[0], report.tiles))

    def build() -> Any:
        return _builder(archive, encoder, maker, cfg, 16, kind=Watched)(sources)

    report = build()
    full = time.perf_counter() - begin
    built = len(samples)
    changed = Path(sources[0].address)
    pixels = np.zeros((3, side, side), np.uint8) + np.arange(side, dtype=np.uint8)
    with rasterio.open(changed, 'r+') as file:
        file.write(pixels)
    sources[0] = Source(str(changed), file_signature(str(changed)) + ' changed')
    start = time.perf_counter()
    again = build()
    update = time.perf_counter() - start
    slope: Optional[dict[str, float]] = None
    if built >= 20:
        seconds, megabytes, tiles = zip(*samples[:built])
        fitted = memory_slope(seconds, megabytes)
        per_thousand = fitted.mb_per_hour / 3600 * (seconds[-1] - seconds[0]) / max(1.0, tiles[-1] - tiles[0]) * 1000
        slope = dict(fitted._asdict(), mb_per_thousand_tiles=per_thousand)
    return comparison(
        what=f'update of one scene in {scenes}',
        ours='update',
        theirs='full build',
        pairs=Pairs((update,), (full,)),
        goal=UPDATE_GOAL,
        details=dict(tiles=report.tiles, changed_tiles=again.tiles, memory_slope=slope),
    )


def _builder(
    folder: Path, encoder: Encoder, maker: dict[str, Any], cfg: Config, batch_size: int, kind: type[Builder] = Builder
) -> Builder:
    return kind(
        ArchiveFolder(folder),
        encoder,
        maker,
        store=dict(type='LanceStore'),
        cfg=cfg,
        checkpoint=None,
        batch_size=batch_size,
        show_progress=False,
    )


def _tower(cfg: Config) -> str:
    tower = cfg.model.image_tower
    return str(tower.get('model') or tower.type)
