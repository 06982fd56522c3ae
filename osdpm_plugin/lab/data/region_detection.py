"""A folder of images and a trained detector -> region files."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any, Union

import numpy as np
from tqdm import tqdm

from ...datasets.images.region_files import RegionRecord, check_free, region_file, write_regions
from ...errors import ConfigError, DataError
from ...utils.hashing import sha256_of
from .preparing.files import IMAGE_SUFFIXES


def find_images(folder: Union[str, Path]) -> list[Path]:
    """The images of a folder, sorted.

    Raises:
        DataError: there are none, or two names differ only in their ending, so that they would share a region file.
    """
    images = sorted(path for path in Path(folder).glob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise DataError(f'folder {folder} has no images ({", ".join(IMAGE_SUFFIXES)}); check the path')
    stem, count = Counter(path.stem for path in images).most_common(1)[0]
    if count > 1:
        raise DataError(f'folder {folder} has {count} images of the name {stem}; rename all but one')
    return images


def to_record(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> RegionRecord:
    """The output of a detector -> the layout of region files, best first.

    Args:
        boxes: (R, 4), x1, y1, x2, y2 in pixels; parts outside the image are cut off.
        labels: (R,) int.
        scores: (R,).
        size: height, width of the image in pixels.

    Raises:
        DataError: boxes do not have four values.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DataError(
            f'the detector gives boxes of shape {boxes.shape}, not (R, 4); take one with upright boxes, or set '
            'test_cfg so that it converts them'
        )
    height, width = size
    order = np.argsort(-scores, kind='stable')
    shares = boxes / np.array([width, height, width, height], dtype=np.float32)
    return RegionRecord(
        boxes=shares[order].clip(0, 1).astype(np.float32),
        labels=labels[order].astype(np.int64),
        scores=scores[order].clip(0, 1).astype(np.float32),
    )


def detect_regions(
    config: str,
    checkpoint: str,
    images: Union[str, Path],
    out: Union[str, Path],
    *,
    num: int = 100,
    min_score: float = 0.05,
    device: str = 'cpu',
) -> int:
    """Run a detector of mmdet, or of a package that registers there, over a folder.

    Args:
        out: folder for region files, created if needed.
        num: number of the best regions to keep of each image.
        min_score: lowest score of a region.
        device: of the detector.

    Returns:
        the number of images.

    Raises:
        ConfigError: mmdet is not installed.
        DataError: there are no images, the folder has region files of other images with the same names, or the output
            of the detector does not fit into region files.
    """
    hashes = {path: sha256_of(path) for path in find_images(images)}
    for path, image_sha256 in hashes.items():
        check_free(region_file(out, path), image_sha256)
    detector = _mmdet()
    model = detector.init_detector(config, checkpoint, device=device)
    Path(out).mkdir(parents=True, exist_ok=True)
    for path, image_sha256 in tqdm(hashes.items(), desc='regions'):
        result = detector.inference_detector(model, str(path))
        found = {key: _as_array(result.pred_instances[key]) for key in ('bboxes', 'labels', 'scores')}
        record = to_record(found['bboxes'], found['labels'], found['scores'], tuple(result.ori_shape[:2]))
        count = min(int((record.scores >= min_score).sum()), num)
        kept = RegionRecord(record.boxes[:count], record.labels[:count], record.scores[:count])
        write_regions(region_file(out, path), kept, image_sha256=image_sha256)
    return len(hashes)


def _mmdet() -> Any:
    try:
        return importlib.import_module('mmdet.apis')
    except ImportError as error:
        raise ConfigError(
            f'mmdet is not installed ({error}); install it to detect regions, or set region_source="salient" in the '
            'neck, which needs no detector'
        ) from error


def _as_array(value: Any) -> np.ndarray:
    """A tensor, or mmdet's box structure, on the CPU."""
    return np.asarray(getattr(value, 'tensor', value).detach().cpu())
