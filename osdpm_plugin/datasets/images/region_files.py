"""One npz file for each image <-> the objects that a detector found in it.

Layout of ``<folder>/<name of the image file without its ending>.npz``:

- ``boxes`` (R, 4) float: x1, y1, x2, y2 as shares of the image's width and height, 0 to 1;
- ``labels`` (R,) int: classes of the detector, from 0;
- ``scores`` (R,) float: confidence, 0 to 1;
- ``features`` (R, F) float, optional: a vector for each box;
- ``image_sha256`` text, optional: hash of the image file, so that regions of another image with the same name are not
  overwritten.

Rows are in any order. R may be 0 and differs between images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Union

import numpy as np

from ...errors import DataError


class RegionRecord(NamedTuple):
    """The objects of one image, best first.

    Attributes:
        boxes: (R, 4) float32, x1, y1, x2, y2 as shares of width and height.
        labels: (R,) int64.
        scores: (R,) float32.
        features: (R, F) float32, or None.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    features: Optional[np.ndarray] = None


def region_file(folder: Union[str, Path], img_path: Union[str, Path]) -> Path:
    """The file that holds the regions of an image."""
    return Path(folder, Path(img_path).stem + '.npz')


def check_one_image_each(filenames: Iterable[str]) -> None:
    """Make sure that no two images of a set have the same region file.

    Raises:
        DataError: two names differ only in folder or ending.
    """
    first: dict[str, str] = {}
    for filename in filenames:
        path = region_file('', filename)
        other = first.setdefault(path.name, filename)
        if other != filename:
            raise DataError(f'images {other} and {filename} share the region file {path}; rename one of them')


def check_free(path: Union[str, Path], image_sha256: str) -> None:
    """Make sure that a region file does not exist, or was not made from another image.

    Raises:
        DataError: it is of another image.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            other = str(file['image_sha256']) if 'image_sha256' in file else image_sha256
    except Exception:  # missing or damaged: it may be overwritten
        return
    if other != image_sha256:
        raise DataError(
            f'region file {path} was made from another image of that name; write to a folder of its own, or delete it '
            'if the image has changed'
        )


def write_regions(path: Union[str, Path], record: RegionRecord, *, image_sha256: Optional[str] = None) -> None:
    """Write the region file of an image.

    Args:
        path: see `region_file`.
        record: the regions.
        image_sha256: hash of the image file; kept for `check_free`.

    Raises:
        DataError: the record breaks the layout, or the file cannot be written.
    """
    arrays = {name: array for name, array in record._asdict().items() if array is not None}
    _check(arrays, Path(path))
    if image_sha256 is not None:
        arrays['image_sha256'] = np.array(image_sha256)
    try:
        np.savez_compressed(path, **arrays)
    except OSError as error:
        raise DataError(
            f'region file {path} cannot be written ({error.strerror}); choose an existing, writable folder'
        ) from error


def read_regions(path: Union[str, Path]) -> RegionRecord:
    """Read the region file of an image.

    Returns:
        its regions, sorted by score, best first.

    Raises:
        DataError: the file is missing, unreadable, or breaks the layout.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in RegionRecord._fields if name in file}
    except FileNotFoundError as error:
        raise DataError(
            f'region file {path} does not exist; make it with tools/extract_regions.py, or set region_source='
            "'salient' in the neck"
        ) from error
    except Exception as error:  # damage raises many types: from zipfile, zlib, struct, NumPy's header reader ...
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise DataError(f'region file {path} is no npz file of numbers ({reason}); make it again') from error
    _check(arrays, Path(path))
    order = np.argsort(-arrays['scores'], kind='stable')
    features = arrays.get('features')
    return RegionRecord(
        boxes=arrays['boxes'][order].astype(np.float32),
        labels=arrays['labels'][order].astype(np.int64),
        scores=arrays['scores'][order].astype(np.float32),
        features=None if features is None else features[order].astype(np.float32),
    )


def _check(arrays: dict[str, np.ndarray], path: Path) -> None:
    missing = [name for name in ('boxes', 'labels', 'scores') if name not in arrays]
    if missing:
        raise DataError(f'region file {path} lacks {", ".join(missing)}; make it with tools/extract_regions.py')
    texts = [name for name, array in arrays.items() if array.dtype.kind not in 'biuf']
    if texts:
        raise DataError(
            f'region file {path} holds values that are not real numbers in {", ".join(texts)}; make it again'
        )
    boxes, labels, scores = arrays['boxes'], arrays['labels'], arrays['scores']
    count = scores.size
    shapes = {name: array.shape for name, array in arrays.items()}
    features = arrays.get('features')
    if (
        boxes.shape != (count, 4)
        or labels.shape != (count,)
        or scores.ndim != 1
        or (features is not None and (features.ndim != 2 or len(features) != count))
    ):
        raise DataError(
            f'region file {path} has arrays of shapes {shapes}; they must be boxes (R, 4), labels (R,), scores (R,) '
            'and features (R, F)'
        )
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DataError(f'region file {path} holds values that are not finite; make it again')
    if count and (boxes.min() < 0 or boxes.max() > 1 or (boxes[:, 2:] < boxes[:, :2]).any()):
        raise DataError(
            f'region file {path} has boxes outside 0..1 or with x2 < x1; divide pixels by the width and height of the '
            'image and order the corners'
        )
    if count and (scores.min() < 0 or scores.max() > 1 or labels.min() < 0 or labels.dtype.kind not in 'iu'):
        raise DataError(f'region file {path} must have scores in 0..1 and labels that are integers from 0')
