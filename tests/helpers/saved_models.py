"""A tiny retriever with random weights on disk, and the scores that its own evaluation states."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from osdpm_plugin.models.backbones import WordEmbedding
from osdpm_plugin.models.comparison.mtfn import TensorFusion
from tests.helpers.generated_data import words_of_captions
from tests.helpers.shrunk_configs import shrink

_names = itertools.count()


class Saved(NamedTuple):
    """A config, its checkpoint, and the test split by id.

    ``scores`` (N, M) float32 are those of `ImageTextRecall`, of the N ``paths`` and the M ``texts``.
    """

    cfg: Config
    checkpoint: Path
    paths: list[str]
    texts: list[str]
    scores: np.ndarray


def save(config: str, folder: Path, change: Callable[[Config], Any] = lambda cfg: None, *, seed: int = 0) -> Saved:
    """Shrink a shipped config, give it random weights, save and evaluate it.

    Args:
        config: shipped config.
        folder: for data, config.py, weights.pth and scores.npz.
        change: applied to the config before it is built.
        seed: of the weights.
    """
    cfg = shrink(config, folder)
    change(cfg)
    cfg.dump(folder / 'config.py')
    cfg.experiment_name = f'search-{os.getpid()}-{next(_names)}'
    cfg.randomness = dict(seed=seed)
    cfg.log_level = 'ERROR'
    cfg.test_evaluator.scores_file = str(folder / 'scores.npz')
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    for module in runner.model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(words_of_captions())
        if isinstance(module, TensorFusion):
            module.output.weight.data *= 300  # random weights give each pair nearly one half
    runner.save_checkpoint(str(folder), 'weights.pth', save_optimizer=False, save_param_scheduler=False)
    cfg.load_from = runner._load_from = str(folder / 'weights.pth')
    runner.test()
    dataset = runner.test_dataloader.dataset
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    path_of = {item['image_id']: item['img_path'] for item in items}
    text_of = {i: text for item in items for i, text in zip(item['caption_ids'], item['captions'])}
    with np.load(folder / 'scores.npz') as arrays:
        paths = [path_of[i] for i in arrays['image_ids'].tolist()]
        texts = [text_of[i] for i in arrays['caption_ids'].tolist()]
        scores = arrays['scores']
    return Saved(Config.fromfile(folder / 'config.py'), folder / 'weights.pth', paths, texts, scores)


def disturb(checkpoint: Path, out: Path) -> Path:
    """Another checkpoint of the same model, with one weight of its neck changed by a little."""
    content = torch.load(checkpoint, weights_only=False)
    name = next(n for n, v in content['state_dict'].items() if n.startswith('neck') and v.is_floating_point())
    content['state_dict'][name] = content['state_dict'][name] + 1e-3
    torch.save(content, out)
    return out
