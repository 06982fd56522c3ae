"""Scenes with patches of colour at known places, a stand-in for a model that knows colours, and an archive of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import rasterio
import torch
from mmengine.config import Config
from rasterio.transform import from_origin

from osdpm_plugin.archive import Archive
from osdpm_plugin.archive.building import Builder
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.scene import PixelRule
from osdpm_plugin.archive.sources import Source, file_signature
from osdpm_plugin.search.encoder import Vector

COLOURS = dict(red=(250, 10, 10), green=(10, 250, 10), blue=(10, 10, 250), grey=(90, 90, 90))
ORIGIN = from_origin(500_000, 4_000_000, 10, 10)  # of 10 m pixels


class KnowsColours:
    """The part of an encoder that an archive uses: an image is its mean colour, a text the colour that it names."""

    indexable, half = True, False

    @staticmethod
    def pipeline(image: Any) -> dict:
        return dict(inputs=torch.tensor(np.asarray(image).mean((0, 1))))

    @staticmethod
    def images(batch: Mapping[str, torch.Tensor]) -> list[Vector]:
        return [Vector(_unit(colour.numpy())) for colour in batch['inputs']]

    @staticmethod
    def texts(text: str, *, batch_size: int) -> list[Vector]:
        return [Vector(_unit(np.array(COLOURS[text])))]


def _unit(colour: np.ndarray) -> np.ndarray:
    colour = np.append(colour, 1.0)  # black has a length too
    return (colour / np.linalg.norm(colour)).astype(np.float32)


def write_patches(
    path: Path,
    shape: tuple[int, int],
    patches: Mapping[tuple[int, int, int, int], str],
    *,
    crs: Optional[str] = 'EPSG:32650',
    transform: Any = ORIGIN,
    empty: Sequence[tuple[int, int, int, int]] = (),
) -> Path:
    """A grey scene with patches (row, column, height, width) of colour; those that are ``empty`` have no data (0)."""
    pixels = np.empty((*shape, 3), np.uint8)
    pixels[:] = COLOURS['grey']
    for (row, column, height, width), colour in patches.items():
        pixels[row : row + height, column : column + width] = COLOURS[colour]
    for row, column, height, width in empty:
        pixels[row : row + height, column : column + width] = 0
    place = dict(crs=crs, transform=transform) if crs else {}
    profile = dict(driver='GTiff', height=shape[0], width=shape[1], count=3, dtype='uint8', nodata=0, **place)
    with rasterio.open(path, 'w', **profile) as file:
        file.write(np.moveaxis(pixels, -1, 0))
    return path


def make_archive(folder: Path, scenes: Sequence[Path], grid: Optional[TileGrid] = None) -> Archive:
    """An archive of scenes by `KnowsColours`, ready to be asked."""
    pixels = dict(bands=None, stretch='percentile', nodata=None)
    grid = grid or TileGrid(tile=16)
    maker = dict(model='colours', dims=4, engine='torch', precision='float32', grid=vars(grid), pixels=pixels)
    assert PixelRule.of(maker) == PixelRule()
    encoder: Any = KnowsColours()
    store = dict(type='LanceStore')
    build = Builder(
        ArchiveFolder(folder), encoder, maker, store=store, cfg=Config(), checkpoint=None, show_progress=False
    )
    build([Source(str(path), file_signature(str(path))) for path in scenes])
    archive = Archive.open(folder)
    archive._encoder = encoder
    return archive
