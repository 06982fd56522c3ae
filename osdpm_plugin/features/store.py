"""A folder of memory-mapped features with a manifest.

manifest.json              settings and hashes
<split>/index.json         image ids, the text row of each caption id if texts are stored, numbers of complete rows
<split>/map<i>.npy         (views, N, C_i, h_i, w_i) of the image tower's i-th map
<split>/pooled.npy         (views, N, D), where the tower has a pooled vector
<split>/text.npy           (U, C) float32, the text tower's pooled vectors; captions of equal tokens share a row
<split>/words.npy          (U, T, C), the text tower's word features, zeros behind a caption's end
<split>/lengths.npy        (U,) int64, the number of words of each row

bfloat16, which NumPy lacks, is stored as its bits, in uint16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from .cache_files import create_array, damaged, load_array, read_index, read_manifest, write_json

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


class SplitWriter:
    """Write the rows of one split; a writer that is opened again goes on behind the last complete row.

    Args:
        folder: of the split.
        image_ids: N ids, the order of rows.
        caption_ids: M ids; none where no texts are stored.
        caption_rows: M text rows, in 0 to U - 1, each first used in order.
        views: number of views of each image.

    Raises:
        DataError: the folder holds other images or another number of views, or damaged files, or the disk is full.
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
        before = read_index(folder)
        self.done_images = 0 if before is None else before.pop('done_images')
        self.done_texts = 0 if before is None else before.pop('done_texts')
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
            begun = self.done_texts if name in TEXT_ARRAYS else self.done_images
            self._arrays[name] = (
                load_array(path, shape, dtype, writable=True) if begun else create_array(path, shape, dtype)
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
        DataError: the cache or the split is missing, incomplete or damaged.
    """

    def __init__(self, root: str, split: str) -> None:
        folder = Path(root, split)
        self._arguments = (root, split)
        self.manifest = read_manifest(Path(root)) or {}
        index = read_index(folder)
        if not self.manifest or index is None:
            raise DataError(
                f'{folder} holds no cached features; make them with tools/cache_features.py CONFIG --out {root}'
            )
        self.views: int = index['views']
        self.towers: list[str] = self.manifest['towers']
        num_texts = max(index['caption_rows'], default=-1) + 1
        images_lack = 'image_tower' in self.towers and index['done_images'] < self.views * len(index['image_ids'])
        texts_lack = 'text_tower' in self.towers and index['done_texts'] < num_texts
        if images_lack or texts_lack:
            raise DataError(f'{folder} is incomplete; run tools/cache_features.py again, it goes on where it stopped')
        done = dict(image_tower=index['done_images'], text_tower=index['done_texts'])
        others = [tower for tower, rows in done.items() if rows and tower not in self.towers]
        if others:
            raise damaged(Path(root, 'manifest.json'), f'no {others[0]}, of which {folder} has features')
        self.row_of_image = {image_id: row for row, image_id in enumerate(index['image_ids'])}
        self.row_of_caption = dict(zip(index['caption_ids'], index['caption_rows']))
        self.maps: list[np.memmap] = []
        self.pooled: Optional[np.memmap] = None
        self.text: Optional[np.memmap] = None
        self.words: Optional[np.memmap] = None
        self.lengths: Optional[np.memmap] = None
        dtype = np.dtype('uint16' if self.manifest['dtype'] == 'bfloat16' else self.manifest['dtype'])
        if 'image_tower' in self.towers:
            self._load_images(folder, len(index['image_ids']), dtype)
        if 'text_tower' in self.towers:
            self._load_texts(folder, num_texts, dtype)

    def _load_images(self, folder: Path, num_images: int, dtype: np.dtype) -> None:
        count = max(1, len(list(folder.glob('map*.npy'))))
        shape = (self.views, num_images)
        self.maps = [load_array(folder / f'map{i}.npy', (*shape, None, None, None), dtype) for i in range(count)]
        if (folder / 'pooled.npy').exists():
            self.pooled = load_array(folder / 'pooled.npy', (*shape, None), dtype)

    def _load_texts(self, folder: Path, num_texts: int, dtype: np.dtype) -> None:
        self.text = load_array(folder / 'text.npy', (num_texts, None), np.float32)
        self.words = load_array(folder / 'words.npy', (num_texts, None, None), dtype)
        self.lengths = load_array(folder / 'lengths.npy', (num_texts,), np.int64)
        if num_texts and not 0 <= self.lengths.min() <= self.lengths.max() <= self.words.shape[1]:
            raise damaged(folder / 'lengths.npy', f'numbers of words outside 0 to {self.words.shape[1]}')

    def __getstate__(self) -> tuple[str, str]:
        return self._arguments  # a memory map would be pickled whole to spawned workers

    def __setstate__(self, arguments: tuple[str, str]) -> None:
        FeatureStore.__init__(self, *arguments)
