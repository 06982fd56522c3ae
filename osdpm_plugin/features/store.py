"""Features of images and captions <-> a folder of memory-mapped arrays with a manifest.

manifest.json              settings and hashes
<split>/index.json         image ids, the text row of each caption id if texts are stored, dtype and shape of each
                           array, numbers of complete rows
<split>/map<i>.npy         (views, N, C_i, h_i, w_i) of the image tower's i-th map
<split>/pooled.npy         (views, N, D), where the tower has a pooled vector
<split>/text.npy           (U, C) float32, the text tower's pooled vectors; captions of equal tokens share a row
<split>/words.npy          (U, T, C), the text tower's word features, zeros after the end of a caption
<split>/lengths.npy        (U,) int64, the number of words of each row

Of a tower that is frozen in part, what its frozen part gives is stored, and the manifest has its depth, the number of
frozen blocks:

<split>/cut<i>.npy         (views, N, ...), the image tower's values at the cut, see `PartialImages`
<split>/states.npy         (S, C), the words at the cut, one row after another, each as long as it needs to be
<split>/ends.npy           (U,) int64, where each row ends in them
<split>/lengths.npy        (U,) int64, as above

bfloat16, which NumPy lacks, is stored as its bits, in uint16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..utils.files import write_json
from .cache_files import TEXT_ARRAYS, create_array, damaged, load_array, read_cache_manifest, read_index


def to_rows(values: Tensor, dtype: torch.dtype) -> np.ndarray:
    """Features as they are stored; float16 values are clipped to its range."""
    if dtype == torch.float16:
        values = values.clamp(-65504, 65504)
    values = values.detach().cpu().to(dtype)
    return (values.view(torch.int16).numpy().view(np.uint16) if dtype == torch.bfloat16 else values.numpy()).copy()


def from_rows(rows: np.ndarray) -> Tensor:
    """The inverse of `to_rows`, as a tensor that owns its memory."""
    rows = np.array(rows)
    if rows.dtype == np.uint16:
        return torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(rows)


class SplitWriter:
    """Write the rows of one split; a writer that is opened again continues after the last complete row.

    Args:
        image_ids: N ids, the order of rows.
        caption_ids: M ids; none where no texts are stored.
        caption_rows: M text rows, in 0 to U - 1, each first used in order.
        num_states: S, where the text tower is frozen in part.

    Raises:
        DataError: the folder holds other images, arrays or numbers of views, or damaged files, or the disk is full.
        ConfigError: the index cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        image_ids: Sequence[int],
        caption_ids: Sequence[int],
        caption_rows: Sequence[int],
        views: int,
        num_states: int = 0,
    ) -> None:
        self.folder = folder
        self.num_states = num_states
        self.index: dict[str, Any] = dict(
            image_ids=list(image_ids), caption_ids=list(caption_ids), caption_rows=list(caption_rows), views=views
        )
        self.num_texts = max(caption_rows, default=-1) + 1
        before = read_index(folder)
        self.done_images = 0 if before is None else before.pop('done_images')
        self.done_texts = 0 if before is None else before.pop('done_texts')
        self._kinds: dict[str, list] = {} if before is None else before.pop('arrays')
        if before is not None and before != self.index:
            raise DataError(f'{folder} was begun for other images; delete it and cache again')
        self._arrays: dict[str, np.memmap] = {}

    def write_images(self, features: Mapping[str, np.ndarray]) -> None:
        """Append rows (n, ...) of each named feature, view after view."""
        first = (self.index['views'], len(self.index['image_ids']))
        self._append(features, {name: (first, self.done_images) for name in features}, going_on=self.done_images > 0)
        self.done_images += len(next(iter(features.values())))
        self._save_index()

    def write_texts(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows (n, ...) of ``text``, ``words`` and ``lengths``; or of ``lengths`` and ``steps`` with as many
        ``states``, (their sum, C).
        """
        going_on, rows = self.done_texts > 0, dict(rows)
        places = {name: ((self.num_texts,), self.done_texts) for name in (*rows, 'ends')}
        if 'steps' in rows:
            done = self._last_end() if going_on else 0
            rows['ends'] = done + rows.pop('steps').cumsum()
            places['states'] = ((self.num_states,), done)
        self._append(rows, places, going_on=going_on)
        self.done_texts += len(rows['lengths'])
        self._save_index()

    def _last_end(self) -> int:
        """How many states are stored."""
        path = self.folder / 'ends.npy'
        end = int(load_array(path, [self.num_texts], np.dtype('int64'))[self.done_texts - 1])
        if not 0 <= end <= self.num_states:
            raise damaged(path, f'an end outside 0 to {self.num_states}')
        return end

    def _append(
        self, features: Mapping[str, np.ndarray], places: Mapping[str, tuple[tuple[int, ...], int]], *, going_on: bool
    ) -> None:
        """Write rows into arrays, of each of which ``places`` has the first sizes and the number of rows before."""
        kinds = {name: [rows.dtype.name, *places[name][0], *rows.shape[1:]] for name, rows in features.items()}
        are_texts = 'lengths' in features
        begun = {name: kind for name, kind in self._kinds.items() if (name in TEXT_ARRAYS) == are_texts}
        if going_on and kinds != begun:
            raise DataError(f'{self.folder} was begun with the arrays {begun}, not {kinds}; delete it and cache again')
        for name, rows in features.items():
            path, (dtype, *shape) = self.folder / f'{name}.npy', kinds[name]
            if name not in self._arrays:
                self._arrays[name] = (
                    load_array(path, shape, dtype, writable=True)
                    if going_on
                    else create_array(path, tuple(shape), dtype)
                )
            array, done = self._arrays[name], places[name][1]
            array.reshape(-1, *rows.shape[1:])[done : done + len(rows)] = rows
            array.flush()
        self._kinds.update(kinds)

    def _save_index(self) -> None:
        done = dict(done_images=self.done_images, done_texts=self.done_texts)
        write_json(self.folder / 'index.json', dict(self.index, arrays=self._kinds, **done), 'cache file')


class FeatureStore:
    """Read one split of a cache.

    Raises:
        DataError: the cache or the split is missing, incomplete or damaged.
    """

    def __init__(self, root: str, split: str) -> None:
        folder = Path(root, split)
        self._arguments = (root, split)
        self.manifest = read_cache_manifest(Path(root)) or {}
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
            raise DataError(f'{folder} is incomplete; run tools/cache_features.py again, it continues where it stopped')
        done = dict(image_tower=index['done_images'], text_tower=index['done_texts'])
        others = [tower for tower, rows in done.items() if rows and tower not in self.towers]
        if others:
            raise damaged(Path(root, 'manifest.json'), f'no {others[0]}, of which {folder} has features')
        self._kinds: dict[str, list] = index['arrays']
        unnamed = {path.stem for path in folder.glob('*.npy')} - self._kinds.keys()
        if unnamed:
            raise damaged(folder / 'index.json', f'no {min(unnamed)}, of which there is a file')
        self.row_of_image = {image_id: row for row, image_id in enumerate(index['image_ids'])}
        self.row_of_caption = dict(zip(index['caption_ids'], index['caption_rows']))
        self.depths: dict[str, int] = self.manifest.get('depths', {})
        self.cut: list[np.memmap] = []
        self.states: Optional[np.memmap] = None
        self.ends: Optional[np.memmap] = None
        self.maps: list[np.memmap] = []
        self.pooled: Optional[np.memmap] = None
        self.text: Optional[np.memmap] = None
        self.words: Optional[np.memmap] = None
        self.lengths: Optional[np.memmap] = None
        dtype = np.dtype('uint16' if self.manifest['dtype'] == 'bfloat16' else self.manifest['dtype'])
        if 'image_tower' in self.depths:
            count = max(1, sum(name.startswith('cut') for name in self._kinds))
            self.cut = [self._load(folder, f'cut{i}', dtype) for i in range(count)]
        elif 'image_tower' in self.towers:
            count = max(1, sum(name.startswith('map') for name in self._kinds))
            self.maps = [self._load(folder, f'map{i}', dtype) for i in range(count)]
            if 'pooled' in self._kinds:
                self.pooled = self._load(folder, 'pooled', dtype)
        if 'text_tower' in self.towers and num_texts:  # none where no image has captions
            self._load_texts(folder, num_texts, dtype)

    def _load(self, folder: Path, name: str, dtype: np.dtype) -> np.memmap:
        kind = self._kinds.get(name)
        if kind is None or kind[0] != dtype.name:
            has = 'no' if kind is None else kind[0]
            raise damaged(folder / 'index.json', f'{has} {name} instead of one in {dtype.name}')
        return load_array(folder / f'{name}.npy', kind[1:], dtype)

    def _load_texts(self, folder: Path, num_texts: int, dtype: np.dtype) -> None:
        self.lengths = self._load(folder, 'lengths', np.dtype('int64'))
        if 'text_tower' in self.depths:
            self.states = self._load(folder, 'states', dtype)
            self.ends = self._load(folder, 'ends', np.dtype('int64'))
            steps, limit = np.diff(self.ends, prepend=0), 'those in ends.npy'
            right = (steps >= self.lengths).all() and (steps > 0).all() and steps.sum() == len(self.states)
            right = right and (self.lengths >= 0).all()
        else:
            self.text = self._load(folder, 'text', np.dtype('float32'))
            self.words = self._load(folder, 'words', dtype)
            limit = str(self.words.shape[1])
            right = not num_texts or 0 <= self.lengths.min() <= self.lengths.max() <= self.words.shape[1]
        if not right:
            raise damaged(folder / 'lengths.npy', f'numbers of words outside 0 to {limit}')

    def states_of(self, rows: Sequence[int]) -> np.ndarray:
        """The words at the cut of some text rows, zeros after the end of each: (K, T, C) float32."""
        assert self.states is not None and self.ends is not None
        parts = [from_rows(self.states[self.ends[row - 1] if row else 0 : self.ends[row]]).float() for row in rows]
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True).numpy()

    def __getstate__(self) -> tuple[str, str]:
        return self._arguments  # a memory map would be pickled whole to spawned workers

    def __setstate__(self, arguments: tuple[str, str]) -> None:
        FeatureStore.__init__(self, *arguments)
