"""A map of similarities -> GeoTIFF, and a picture of it over its scene."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import rasterio
from affine import Affine
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from scipy import ndimage

from ..utils.files import write_atomically
from ..visualization.heatmap_overlay import GREY as LUMINANCE
from ..visualization.heatmap_overlay import Scale, colour_bar, overlay
from ..visualization.page import GREY, LINE_HEIGHT, Page, text_width
from .localisation_map import SimilarityMap
from .tiles import open_scene

WIDTH, MARGIN, BAR = 1200, 32, 14  # pixels
HIGHEST = 1600  # pixels of the scene
TITLE, SMALL = 26, 15  # font sizes
OUTLINE = '#00e5ff'


def write_geotiff(found: SimilarityMap, path: str) -> None:
    """Write the similarities as float32 with NaN for no data, in the scene's CRS; its extent is the scene's.

    Without georeference, the transform is that of cells to pixels of the scene.

    Raises:
        ConfigError: the operating system refused.
    """
    height, width = found.values.shape
    down, right = found.cell
    place = found.record.georeference
    a, b, c, d, e, f = (1, 0, 0, 0, 1, 0) if place is None else place.transform
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver='GTiff',
            height=height,
            width=width,
            count=1,
            dtype='float32',
            nodata=float('nan'),
            crs=None if place is None else place.crs,
            transform=Affine(a * right, b * down, c, d * right, e * down, f),
            compress='deflate',
        ) as file:
            file.write(found.values, 1)
            file.set_band_description(1, 'similarity')
            file.update_tags(
                QUERY=found.query,
                SCENE=found.record.source,
                TILES=' '.join(f'{rows}x{columns}' for rows, columns in found.sizes),
            )
        content = memory.getbuffer()
        write_atomically(path, lambda file: file.write(content), '--out')


def draw_map(found: SimilarityMap, regions: Sequence[np.ndarray] = ()) -> Figure:
    """The map over its scene, which is shrunk and grey, with a colour bar; where no tile lies the scene stays grey.

    Args:
        found: the map.
        regions: (K, 2) column and row in pixels of the scene, drawn as outlines.

    Raises:
        DataError: the scene cannot be read.
    """
    image = _shrunk(found)
    height, width = image.shape[:2]
    known = np.isfinite(found.values)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    pixels = overlay(image, found.scaled[tuple(nearest)], Scale(0.0, 1.0))
    rows, columns = (np.arange(n) * cells // n for n, cells in zip((height, width), known.shape))
    grey = np.repeat((image @ LUMINANCE + 0.5).astype(np.uint8)[..., None], 3, axis=2)
    pixels = np.where(known[np.ix_(rows, columns)][..., None], pixels, grey)
    picture = Image.fromarray(pixels)
    share = np.array([width / found.record.shape[1], height / found.record.shape[0]])
    for region in regions:
        ImageDraw.Draw(picture).polygon([tuple(corner) for corner in region * share], outline=OUTLINE, width=3)
    return _page(found, np.asarray(picture))


def _shrunk(found: SimilarityMap) -> np.ndarray:
    """(H, W, 3) uint8: the scene, as large as the page takes it."""
    height, width = found.record.shape
    share = min((WIDTH - 2 * MARGIN) / width, HIGHEST / height)
    shape = max(1, round(height * share)), max(1, round(width * share))
    with open_scene(found.record, found.rule) as scene:
        return scene.read((0, 0, height, width), shape=shape).colours


def _page(found: SimilarityMap, pixels: np.ndarray) -> Figure:
    page = Page(WIDTH)
    inner = WIDTH - 2 * MARGIN
    y = MARGIN + page.paragraph(MARGIN, MARGIN, found.query, width=inner, size=TITLE, bold=True, most=3)
    sizes = ', '.join(f'{height} x {width}' for height, width in found.sizes)
    height, width = found.record.shape
    note = f'{found.record.source}, {width} x {height} pixels; mean cosine of tiles of {sizes} pixels'
    y += page.paragraph(MARGIN, y, note, width=inner, size=SMALL, color=GREY, most=2) + 10
    left = (WIDTH - pixels.shape[1]) // 2
    page.image(left, y, pixels)
    y += len(pixels) + 8
    page.image(left, y, colour_bar(Scale(0.0, 1.0), BAR, pixels.shape[1]))
    y += BAR + 2
    low, high = (f'{value:.3f}' for value in (np.nanmin(found.values), np.nanmax(found.values)))
    page.text(left, y, low, size=SMALL, color=GREY)
    page.text(left + pixels.shape[1] - text_width(high, SMALL), y, high, size=SMALL, color=GREY)
    return page.figure(y + round(LINE_HEIGHT * SMALL) + MARGIN // 2)
