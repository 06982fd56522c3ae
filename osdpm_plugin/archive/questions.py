"""What is asked, in words, by an image, by a tile, or mixed -> one vector."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
from mmengine.dataset import default_collate
from PIL import Image

from ..errors import ConfigError, DataError
from ..search.encoder import Encoder
from ..search.inputs import ImageInput
from ..utils.checks import check_number
from .raster_file import open_raster

NOT_WEIGHT = 0.5  # ours: a whole one turns away from everything that shares the words' ground
LARGEST_QUERY = 1 << 27  # pixels


@dataclass(frozen=True)
class Question:
    """A query; what is given is added, by its weight, as vectors of length 1.

    Attributes:
        text: in words.
        image: path, array or PIL image.
        like: id of a tile of the archive.
        unlike: words whose vector is taken away.
        text_weight: of ``text``.
        image_weight: of ``image`` and ``like``.
        unlike_weight: of ``unlike``.

    Raises:
        ConfigError: nothing is asked, words are blank, or a weight is negative.
    """

    text: Optional[str] = None
    image: Optional[ImageInput] = None
    like: Optional[str] = None
    unlike: Optional[str] = None
    text_weight: float = 1.0
    image_weight: float = 1.0
    unlike_weight: float = NOT_WEIGHT

    def __post_init__(self) -> None:
        for name in ('text', 'unlike'):
            words = getattr(self, name)
            if words is not None and not (isinstance(words, str) and words.strip()):
                raise ConfigError(f'{name} has no words; write a few')
        if self.text is None and self.image is None and self.like is None:
            raise ConfigError('the query is empty; ask in words, by an image, or by the id of a tile')
        for name in ('text_weight', 'image_weight', 'unlike_weight'):
            check_number('', name, getattr(self, name), least=0)

    def __str__(self) -> str:
        image = self.image if isinstance(self.image, (str, Path)) else None if self.image is None else 'image in memory'
        parts = [part for part in (self.text, image, self.like) if part is not None]
        return ' + '.join(map(str, parts)) + (f' - {self.unlike}' if self.unlike else '')

    def vector(self, encoder: Callable[[], Encoder], tile: Callable[[str], np.ndarray]) -> np.ndarray:
        """(D,) float32 of length 1.

        Args:
            encoder: makes the encoder, if it is needed.
            tile: id of a tile -> (D,) its vector.

        Raises:
            ConfigError: there is no such tile, or what is asked takes itself away.
            DataError: the image cannot be read.
        """
        parts: list[tuple[float, np.ndarray]] = []
        if self.text is not None:
            parts.append((self.text_weight, _text(encoder(), self.text)))
        if self.image is not None:
            parts.append((self.image_weight, _image(encoder(), self.image)))
        if self.like is not None:
            parts.append((self.image_weight, tile(self.like)))
        if self.unlike is not None:
            parts.append((-self.unlike_weight, _text(encoder(), self.unlike)))
        total = np.sum([weight * _unit(vector) for weight, vector in parts], axis=0)
        if np.linalg.norm(total) < 1e-6:
            raise ConfigError(f'what is asked by {str(self)!r} takes itself away; change words or weights')
        return _unit(total).astype(np.float32)


def _text(encoder: Encoder, text: str) -> np.ndarray:
    return encoder.texts(text, batch_size=1)[0].embedding


def _image(encoder: Encoder, image: Any) -> np.ndarray:
    if isinstance(image, (str, Path)) and _pixels(image) > LARGEST_QUERY:
        raise DataError(f'image {image} has too many pixels for a query; cut out what is to be found')
    return encoder.images(default_collate([encoder.pipeline(image)]))[0].embedding


def _pixels(path: Union[str, Path]) -> float:
    """Pixels of an image file by its header; 0 if none is understood, since the loader says what is wrong with it."""
    with contextlib.suppress(OSError, ValueError), warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        try:
            with Image.open(path) as opened:
                return opened.width * opened.height
        except Image.DecompressionBombError:
            return math.inf
    with contextlib.suppress(DataError), open_raster(os.path.abspath(path)) as raster:
        return raster.shape[0] * raster.shape[1]
    return 0


def _unit(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector, np.float64)
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector
