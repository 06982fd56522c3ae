"""Scenes whose colours are known, a model whose vectors are functions of colour, and archives of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import rasterio
import torch
from mmengine.config import Config
from rasterio.transform import Affine, from_origin

from osdpm_plugin.archive.building import Builder, BuildReport, dims_of
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.maker import make_maker
from osdpm_plugin.archive.scene import PixelRule
from osdpm_plugin.archive.sources import Source, file_signature
from osdpm_plugin.search.encoder import Vector

DIMS = 8
STORE = dict(type='LanceStore')
UTM, ORIGIN = 'EPSG:32650', from_origin(500_000, 4_000_000, 10, 10)
COLOURS = dict(red=(220, 30, 30), green=(30, 220, 30), blue=(30, 30, 220), grey=(120, 120, 120))


class ColourEncoder:
    """Images and names of colours -> vectors; the stand-in for an encoder.

    A vector is the mean colour minus the middle, in thousandths of a random rotation, so that no two differ by chance.
    """

    indexable, half = True, False

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = torch.nn.Linear(3, DIMS, bias=False)
        self.settings: dict[str, Any] = dict(type='Colours')
        self.pipeline = ColourPipeline()
        self.batches: list[int] = []

    def images(self, batch: dict) -> list[Vector]:
        """Vectors of B images."""
        self.batches.append(len(batch['inputs']))
        return [Vector(self._vector(image.double().mean((1, 2)).numpy())) for image in batch['inputs']]

    def texts(self, text: str, *, batch_size: int) -> list[Vector]:
        """The vector of a colour's name."""
        return [Vector(self._vector(np.array(COLOURS[text], float)))]

    def _vector(self, colour: np.ndarray) -> np.ndarray:
        vector = self.model.weight.detach().double().numpy() @ (colour - 100)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class ColourPipeline:
    """Pixels -> an item of a batch."""

    settings = [dict(type='Colours')]

    def __call__(self, image: np.ndarray) -> dict:
        return dict(inputs=torch.from_numpy(np.array(image)).permute(2, 0, 1)[:, :8, :8])


def patchwork(
    shape: tuple[int, int], patches: dict[str, tuple[int, int, int, int]], ground: str = 'grey'
) -> np.ndarray:
    """(3, H, W) uint8: a ground with patches of colour at row, column, height, width."""
    pixels = np.empty((3, *shape), np.uint8)
    pixels[:] = np.array(COLOURS[ground], np.uint8)[:, None, None]
    for colour, (row, column, height, width) in patches.items():
        pixels[:, row : row + height, column : column + width] = np.array(COLOURS[colour], np.uint8)[:, None, None]
    return pixels


def blocks(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(3, H, W) uint8: blocks of 8 x 8 pixels of any colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (3, height // 8, width // 8), dtype=np.uint8)
    return colours.repeat(8, axis=1).repeat(8, axis=2)


def write_scene(
    path: Path,
    pixels: np.ndarray,
    *,
    crs: Optional[str] = UTM,
    transform: Optional[Affine] = ORIGIN,
    driver: str = 'GTiff',
    tags: Optional[dict] = None,
    **profile: Any,
) -> Path:
    """Write bands (C, H, W) as a raster file."""
    place = {} if transform is None else dict(crs=crs, transform=transform)
    count, height, width = pixels.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, 'w', driver=driver, width=width, height=height, count=count, dtype=pixels.dtype, **place, **profile
    ) as file:
        file.write(pixels)
        if tags:
            file.update_tags(**tags)
    return path


def source(path: Path, **facts: Any) -> Source:
    """A scene as it is named to a build."""
    return Source(str(path), file_signature(str(path)), **facts)


def builder(
    folder: Path,
    encoder: Any = None,
    *,
    grid: Optional[TileGrid] = None,
    rule: Optional[PixelRule] = None,
    **options: Any,
) -> Builder:
    """A builder of an archive with small tiles."""
    encoder = encoder or ColourEncoder()
    maker = make_maker(
        encoder,
        dims=DIMS if isinstance(encoder, ColourEncoder) else dims_of(encoder),
        grid=grid or TileGrid(16),
        pixels=rule or PixelRule(),
    )
    settings = dict(store=STORE, cfg=Config(dict(model=dict(type='Colours'))), checkpoint=None, show_progress=False)
    return Builder(ArchiveFolder(folder), encoder, maker, **{**settings, **options})


def build(folder: Path, sources: Sequence[Source], **options: Any) -> BuildReport:
    """Build an archive with small tiles."""
    return builder(folder, **options)(copy.copy(list(sources)))
