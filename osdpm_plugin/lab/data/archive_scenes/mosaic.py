"""Number of a scene -> its pixels: procedural pictures side by side, and plain ground where none fits."""

from __future__ import annotations

import cv2
import numpy as np

from ....datasets.scenes import Scene, render_scene
from ....datasets.scenes.canvas import SIDE
from ....datasets.scenes.kinds import KINDS
from ....datasets.scenes.palette import SURFACES
from ....datasets.scenes.textures import GRAIN, TILE, texture
from .four_bands import inside_border

_PICTURES, _KINDS, _LAYOUT = 4, 5, 6  # in seeds; the splits of `write_scenes` have 0 to 2


def cells_of(number: int, *, size: int, picture: int, seed: int, border: bool) -> list[tuple[int, int]]:
    """(row, column) of the upper left corners of the pictures of a scene, in reading order.

    The block of pictures lies at a random place, so that no grid of tiles falls together with it.

    Args:
        number: of the scene, from 0.
        size: pixels a side of the scene.
        picture: pixels a side of a picture, less than ``size``.
        seed: of the archive.
        border: leave out what lies in the border of no data, if only in part.
    """
    count = (size - 1) // picture
    top, left = np.random.default_rng((seed, _LAYOUT, number)).integers(0, size - count * picture + 1, 2).tolist()
    cells = [(top + i * picture, left + j * picture) for i in range(count) for j in range(count)]
    down, right = np.array([(0, 0), (0, picture), (picture, 0), (picture, picture)]).T  # to the four corners
    return [(row, col) for row, col in cells if not border or np.all(inside_border(row + down, col + right, size))]


def picture_of(number: int, index: int, *, picture: int, seed: int) -> Scene:
    """The picture in cell ``index`` (from 0) of a scene; kinds come in shuffled rounds of all kinds.

    It occurs in no split of the procedural scenes.
    """
    turn, place = divmod(index, len(KINDS))
    deck = np.random.default_rng((seed, _KINDS, number, turn)).permutation(list(KINDS))
    return render_scene((seed, _PICTURES, number, index), picture, str(deck[place]))


def plain_ground(number: int, surface: str, *, size: int, picture: int, seed: int) -> np.ndarray:
    """(size, size, 3) uint8 RGB: a surface at the scale of the pictures, mirrored where its texture ends."""
    rng = np.random.default_rng((seed, _LAYOUT, number, 1))
    tile = texture(rng, GRAIN.get(surface, 'plain'), SURFACES[surface], TILE, TILE)
    side = max(1, TILE * picture // SIDE)
    tile = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA)[:size, :size]
    rest = size - len(tile)
    return np.pad(tile, ((0, rest), (0, rest), (0, 0)), mode='symmetric')


def draw_mosaic(
    number: int, surface: str, *, size: int, picture: int, seed: int, border: bool
) -> tuple[np.ndarray, list[tuple[int, int, Scene]]]:
    """-> (size, size, 3) uint8 RGB; row, column and content of each picture. For the arguments see `cells_of`."""
    pixels = plain_ground(number, surface, size=size, picture=picture, seed=seed)
    pictures = []
    for index, (row, col) in enumerate(cells_of(number, size=size, picture=picture, seed=seed, border=border)):
        scene = picture_of(number, index, picture=picture, seed=seed)
        pixels[row : row + picture, col : col + picture] = scene.image
        pictures.append((row, col, scene))
    return pixels, pictures
