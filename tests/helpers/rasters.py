"""GeoTIFFs of given pixels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Optional

import numpy as np
import rasterio

UTM50 = dict(crs='EPSG:32650', transform=rasterio.Affine(10, 0, 500_000, 0, -10, 2_500_000))


def write_raster(path: Path, bands: np.ndarray, *, mask: Optional[np.ndarray] = None, **options: Any) -> Path:
    """Write (C, H, W) by GDAL's driver of GeoTIFF; without ``crs`` and ``transform`` a plain picture.

    Args:
        path: of the file; its folder is made.
        bands: pixels.
        mask: (H, W) bool, an internal mask.
        **options: of ``rasterio.open``, such as ``nodata``, ``photometric`` and ``tags``, a dict.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tags, overviews = options.pop('tags', {}), options.pop('overviews', [])
    count, height, width = bands.shape
    shape = dict(count=count, height=height, width=width, dtype=options.pop('dtype', bands.dtype))
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK='YES'):
        warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, 'w', **{'driver': 'GTiff', **shape, **options}) as file:
            file.write(bands)
            for domain, values in tags.items():
                file.update_tags(ns=domain, **values)
            if mask is not None:
                file.write_mask(mask)
            if overviews:
                file.build_overviews(overviews)
    return path


def noise(*shape: int, seed: int = 0, dtype: Any = np.uint8, most: int = 256) -> np.ndarray:
    """Whole numbers from 0 to ``most`` - 1."""
    return np.random.default_rng(seed).integers(0, most, shape).astype(dtype)
