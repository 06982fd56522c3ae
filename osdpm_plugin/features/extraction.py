"""Towers and a split -> the features of its images, view after view, and of its captions, written to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..errors import ConfigError
from ..models.backbones.cutting import cuttable
from ..models.pooling import to_coarsest_grid
from ..models.retrievers import TOWERS
from ..models.retrievers.dihedral import turned
from ..structures import as_image_features
from .store import SplitWriter, to_rows

TEXT_BATCH = 256


def loader_in_order(dataset: Any, batch_size: int, num_workers: int) -> DataLoader:
    """Batches of all items, each once and in order."""
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )


class Extraction:
    """Run towers on the images and captions of a split, and write what they give.

    Args:
        towers: those to run.
        grid: see `cache_features`.
        dtype: of what is stored.
        bf16: run the image tower in bfloat16.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, towers: list[str], grid: str, dtype: torch.dtype, bf16: bool
    ) -> None:
        self.model, self.device, self.towers = model, device, towers
        self.grid, self.dtype = grid, dtype
        self.cuts = {name: cuttable(getattr(model, name)) for name in TOWERS}
        self.compared: set[str] = set()
        self.precision = torch.bfloat16 if bf16 else torch.float32
        for layer in model.image_tower.modules():
            if next(layer.parameters(recurse=False), None) is not None:  # statistics of other modules stay as they are
                layer.to(dtype=self.precision, memory_format=torch.channels_last)  # faster convolutions on CPUs

    def extract(self, views: list[tuple[Any, int]], folder: Path, batch_size: int, num_workers: int, seed: int) -> None:
        """Write one split: images of all views (data set, turn), then captions."""
        plain = views[0][0]
        infos = [plain.get_data_info(i) for i in range(len(plain))]
        with_texts = 'text_tower' in self.towers
        tokens, rows = self._unique_tokens(plain, infos, folder.name) if with_texts else (np.empty((0, 0)), [])
        writer = SplitWriter(
            folder,
            image_ids=[info['image_id'] for info in infos],
            caption_ids=[i for info in infos for i in info['caption_ids']] if with_texts else [],
            caption_rows=rows,
            views=len(views),
            num_states=self._num_states(tokens) if with_texts else 0,
        )
        if 'image_tower' in self.towers:
            self._write_images(views, writer, batch_size, num_workers, seed)
        if with_texts:
            self._write_texts(tokens, writer)

    def _write_images(
        self, views: list[tuple[Any, int]], writer: SplitWriter, batch_size: int, num_workers: int, seed: int
    ) -> None:
        num_images = len(views[0][0])
        total = len(views) * num_images
        name = writer.folder.name
        with tqdm(total=total, initial=writer.done_images, desc=f'{name}: images', unit='img') as bar:
            while writer.done_images < total:
                view, first = divmod(writer.done_images, num_images)
                dataset, turn = views[view]
                dataset.seed_epoch(seed, view)
                rest = torch.utils.data.Subset(dataset, range(first, num_images))
                for batch in loader_in_order(rest, batch_size, num_workers):
                    writer.write_images(self._image_features(batch, turn))
                    bar.update(len(batch['data_samples']))

    @torch.inference_mode()
    def _image_features(self, batch: dict, turn: int) -> dict[str, np.ndarray]:
        images = turned(self.model.data_preprocessor(batch)['inputs'], turn)
        images = images.to(dtype=self.precision, memory_format=torch.channels_last)
        cut: Any = self.cuts['image_tower']
        if cut is not None:
            partial = cut.frozen_part(images)
            self._compare('image_tower', images, partial)
            return {f'cut{i}': to_rows(value.float(), self.dtype) for i, value in enumerate(partial.values)}
        features = as_image_features(self.model.image_tower(images))
        maps = to_coarsest_grid(features.maps) if self.grid == 'coarsest' else features.maps
        named = {f'map{i}': m for i, m in enumerate(maps)}
        if features.pooled is not None:
            named['pooled'] = features.pooled
        return {name: to_rows(value.float(), self.dtype) for name, value in named.items()}

    def _compare(self, name: str, inputs: torch.Tensor, partial: Any) -> None:
        """See once that a tower in two parts gives what it gives in one, to the precision of its numbers.

        Raises:
            ConfigError: it does not.
        """
        if name in self.compared:
            return
        self.compared.add(name)
        cut: Any = self.cuts[name]
        pairs = zip(
            *(_tensors(features) for features in (getattr(self.model, name)(inputs), cut.trained_part(partial)))
        )
        if any((a.float() - b.float()).abs().max() > 0.02 * a.float().abs().max() for a, b in pairs):
            raise ConfigError(
                f'{name} in two parts gives other features than in one, so that it cannot be cut; freeze it whole, or '
                'cache the other tower alone'
            )

    def _num_states(self, tokens: np.ndarray) -> int:
        """The number of words at the cut of all rows of tokens."""
        cut: Any = self.cuts['text_tower']
        return 0 if cut is None else int(cut.columns(torch.from_numpy(tokens)).sum())

    def _unique_tokens(self, dataset: Any, infos: list[dict], name: str) -> tuple[np.ndarray, list[int]]:
        """The different token rows (U, T) of all captions in order of appearance, and the row of each caption."""
        steps = [step for step in dataset.pipeline.transforms if type(step).__name__ == 'TokenizeCaptions']
        if not steps:
            raise ConfigError(f'the pipeline of split {name} has no TokenizeCaptions, so its captions cannot be cached')
        tokens = np.concatenate([steps[0].tokenizer(list(info['captions'])) for info in infos])
        row_of: dict[bytes, int] = {}
        rows = [row_of.setdefault(row.tobytes(), len(row_of)) for row in tokens]
        return tokens[np.unique(rows, return_index=True)[1]], rows

    @torch.inference_mode()
    def _write_texts(self, tokens: np.ndarray, writer: SplitWriter) -> None:
        with tqdm(total=len(tokens), initial=writer.done_texts, desc=f'{writer.folder.name}: captions') as bar:
            while writer.done_texts < len(tokens):
                chunk = tokens[writer.done_texts : writer.done_texts + TEXT_BATCH]
                rows = torch.from_numpy(chunk).to(self.device)
                writer.write_texts(self._whole(rows) if self.cuts['text_tower'] is None else self._partial(rows))
                bar.update(len(chunk))

    def _whole(self, tokens: torch.Tensor) -> dict[str, np.ndarray]:
        texts = self.model.text_tower(tokens)
        words = (texts.words * texts.mask[..., None]).float()
        words = F.pad(words, (0, 0, 0, tokens.shape[1] - words.shape[1]))  # (u, T, C)
        return dict(
            text=texts.pooled.float().cpu().numpy(),
            words=to_rows(words, self.dtype),
            lengths=texts.mask.sum(dim=1).cpu().numpy(),
        )

    def _partial(self, tokens: torch.Tensor) -> dict[str, np.ndarray]:
        cut: Any = self.cuts['text_tower']
        partial = cut.frozen_part(tokens)
        self._compare('text_tower', tokens, partial)
        columns = torch.arange(partial.mask.shape[1], device=tokens.device)
        steps, lengths = cut.columns(tokens), partial.mask.sum(dim=1)
        if not torch.equal(columns < lengths[:, None], partial.mask):
            raise ConfigError('captions are not padded at their end, so that text_tower cannot be cut; freeze it whole')
        states = partial.words[columns < steps[:, None]]  # (sum of steps, C)
        return dict(
            states=to_rows(states.float(), self.dtype), steps=steps.cpu().numpy(), lengths=lengths.cpu().numpy()
        )


def _tensors(features: Any) -> Iterator[torch.Tensor]:
    """The tensors with numbers of real values in what a tower gives."""
    if isinstance(features, torch.Tensor):
        yield from [features] if features.is_floating_point() else []
    elif features is not None:
        for part in features:
            yield from _tensors(part)
