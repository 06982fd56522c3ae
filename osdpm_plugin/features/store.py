"""A folder of memory-mapped features with a manifest.

manifest.json              settings and hashes
<split>/index.json         image ids and caption ids, in the order of the rows, and how many rows are complete
<split>/map<i>.npy         (views, N, C_i, h_i, w_i) of the image tower's i-th map
<split>/pooled.npy         (views, N, D), where the tower has a pooled vector
<split>/text.npy           (M, C) float32, the text tower's pooled vectors
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from ..engine.atomic_backend import AtomicLocalBackend
from ..errors import DataError

VERSION = 2


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
        caption_ids: M ids, the order of text rows.
        views: number of views of each image.

    Raises:
        DataError: the folder holds other images or another number of views.
    """

    def __init__(self, folder: Path, *, image_ids: Sequence[int], caption_ids: Sequence[int], views: int) -> None:
        self.folder = folder
        self.index: dict[str, Any] = dict(image_ids=list(image_ids), caption_ids=list(caption_ids), views=views)
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

    def write_texts(self, rows: np.ndarray) -> None:
        """Append text rows (n, C)."""
        array = self._array('text', (len(self.index['caption_ids']), *rows.shape[1:]), rows.dtype)
        array[self.done_texts : self.done_texts + len(rows)] = rows
        array.flush()
        self.done_texts += len(rows)
        self._save_index()

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.memmap:
        if name not in self._arrays:
            path = self.folder / f'{name}.npy'
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = path.exists() and (self.done_texts if name == 'text' else self.done_images)
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
        if index['done_images'] < self.views * len(index['image_ids']) or index['done_texts'] < len(
            index['caption_ids']
        ):
            raise DataError(f'{folder} is incomplete; run tools/cache_features.py again, it goes on where it stopped')
        self.row_of_image = {image_id: row for row, image_id in enumerate(index['image_ids'])}
        self.row_of_caption = {caption_id: row for row, caption_id in enumerate(index['caption_ids'])}
        names = sorted(folder.glob('map*.npy'), key=lambda path: int(path.stem[3:]))
        self.maps = [np.load(path, mmap_mode='r') for path in names]
        pooled = folder / 'pooled.npy'
        self.pooled = np.load(pooled, mmap_mode='r') if pooled.exists() else None
        self.text = np.load(folder / 'text.npy', mmap_mode='r')

    def __getstate__(self) -> tuple[str, str]:
        return self._arguments  # a memory map would be pickled whole to spawned workers

    def __setstate__(self, arguments: tuple[str, str]) -> None:
        FeatureStore.__init__(self, *arguments)
