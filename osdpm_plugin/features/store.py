"""A folder of memory-mapped features with a manifest.

manifest.json              settings and hashes
<split>/index.json         image ids, the text row of each caption id, and how many rows are complete
<split>/map<i>.npy         (views, N, C_i, h_i, w_i) of the image tower's i-th map
<split>/pooled.npy         (views, N, D), where the tower has a pooled vector
<split>/text.npy           (U, C) float32, the text tower's pooled vectors; captions of equal tokens share a row
<split>/words.npy          (U, T, C), the text tower's word features, zeros behind a caption's end
<split>/lengths.npy        (U,) int64, the number of words of each row

bfloat16, which NumPy lacks, is stored as its bits, in uint16.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..engine.atomic_backend import AtomicLocalBackend
from ..errors import DataError

VERSION = 3
DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16, 'float32': torch.float32}
TEXT_ARRAYS = ('text', 'words', 'lengths')


def to_rows(values: Tensor, dtype: torch.dtype) -> np.ndarray:
    """Features as they are stored; beyond the range of float16 they are clipped to it."""
    if dtype == torch.float16:
        values = values.clamp(-65504, 65504)
    values = values.detach().cpu().to(dtype)
    return (values.view(torch.int16).numpy().view(np.uint16) if dtype == torch.bfloat16 else values.numpy()).copy()


def from_rows(rows: np.ndarray) -> Tensor:
    """The inverse of `to_rows`, as a tensor that owns its memory."""
    rows = np.array(rows)
    return (
        torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16)
        if rows.dtype == np.uint16
        else torch.from_numpy(rows)
    )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step."""
    AtomicLocalBackend().put_text(json.dumps(content, indent=1), path)


def read_json(path: Path) -> Optional[dict]:
    """Read a JSON file; None where there is none.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f'{path} is not JSON ({error}); delete the folder {path.parent} and cache again') from error


class SplitWriter:
    """Write the rows of one split; a writer that is opened again goes on behind the last complete row.

    Args:
        folder: of the split.
        image_ids: N ids, the order of rows.
        caption_ids: M ids.
        caption_rows: M text rows, in 0 to U - 1, each first used in order.
        views: number of views of each image.

    Raises:
        DataError: the folder holds other images or another number of views.
    """

    def __init__(
        self,
        folder: Path,
        *,
        image_ids: Sequence[int],
        caption_ids: Sequence[int],
        caption_rows: Sequence[int],
        views: int,
    ) -> None:
        self.folder = folder
        self.index: dict[str, Any] = dict(
            image_ids=list(image_ids), caption_ids=list(caption_ids), caption_rows=list(caption_rows), views=views
        )
        self.num_texts = max(caption_rows, default=-1) + 1
        before = read_json(folder / 'index.json')
        self.done_images = 0 if before is None else int(before.pop('done_images'))
        self.done_texts = 0 if before is None else int(before.pop('done_texts'))
        if before is not None and before != self.index:
            raise DataError(f'{folder} was begun for other images; delete it and cache again')
        self._arrays: dict[str, np.memmap] = {}

    def write_images(self, features: Mapping[str, np.ndarray]) -> None:
        """Append rows (n, ...) of each named feature, view after view."""
        num_images = len(self.index['image_ids'])
        count = len(next(iter(features.values())))
        for name, rows in features.items():
            array = self._array(name, (self.index['views'], num_images, *rows.shape[1:]), rows.dtype)
            array.reshape(-1, *rows.shape[1:])[self.done_images : self.done_images + count] = rows
            array.flush()
        self.done_images += count
        self._save_index()

    def write_texts(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows (n, ...) of ``text``, ``words`` and ``lengths``."""
        for name, values in rows.items():
            array = self._array(name, (self.num_texts, *values.shape[1:]), values.dtype)
            array[self.done_texts : self.done_texts + len(values)] = values
            array.flush()
        self.done_texts += len(rows['text'])
        self._save_index()

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.memmap:
        if name not in self._arrays:
            path = self.folder / f'{name}.npy'
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = path.exists() and (self.done_texts if name in TEXT_ARRAYS else self.done_images)
            self._arrays[name] = (
                np.lib.format.open_memmap(path, mode='r+')
                if begun
                else np.lib.format.open_memmap(path, mode='w+', dtype=dtype, shape=shape)
            )
        return self._arrays[name]

    def _save_index(self) -> None:
        write_json(
            self.folder / 'index.json', dict(self.index, done_images=self.done_images, done_texts=self.done_texts)
        )


class FeatureStore:
    """Read one split of a cache.

    Args:
        root: folder of the cache.
        split: name of the split.

    Raises:
        DataError: the cache or the split is missing or incomplete.
    """

    def __init__(self, root: str, split: str) -> None:
        folder = Path(root, split)
        self._arguments = (root, split)
        self.manifest = read_json(Path(root, 'manifest.json')) or {}
        index = read_json(folder / 'index.json')
        if not self.manifest or index is None:
            raise DataError(
                f'{folder} holds no cached features; make them with tools/cache_features.py CONFIG --out {root}'
            )
        if self.manifest['version'] != VERSION:
            raise DataError(f'{root} was written by another version of the cache; delete it and cache again')
        self.views: int = index['views']
        self.towers: list[str] = self.manifest['towers']
        num_texts = max(index['caption_rows'], default=-1) + 1
        images_lack = 'image_tower' in self.towers and index['done_images'] < self.views * len(index['image_ids'])
        texts_lack = 'text_tower' in self.towers and index['done_texts'] < num_texts
        if images_lack or texts_lack:
            raise DataError(f'{folder} is incomplete; run tools/cache_features.py again, it goes on where it stopped')
        self.row_of_image = {image_id: row for row, image_id in enumerate(index['image_ids'])}
        self.row_of_caption = dict(zip(index['caption_ids'], index['caption_rows']))
        names = sorted(folder.glob('map*.npy'), key=lambda path: int(path.stem[3:]))
        self.maps = [np.load(path, mmap_mode='r') for path in names]
        self.pooled = self._load(folder / 'pooled.npy')
        self.text, self.words, self.lengths = (self._load(folder / f'{name}.npy') for name in TEXT_ARRAYS)

    @staticmethod
    def _load(path: Path) -> Optional[np.ndarray]:
        return np.load(path, mmap_mode='r') if path.exists() else None

    def __getstate__(self) -> tuple[str, str]:
        return self._arguments  # a memory map would be pickled whole to spawned workers

    def __setstate__(self, arguments: tuple[str, str]) -> None:
        FeatureStore.__init__(self, *arguments)
