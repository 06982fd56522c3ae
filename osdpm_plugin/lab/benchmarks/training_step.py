"""One step of fine-tuning a CLIP model with DAPN and OSFCM, against open_clip's model with its loss on the same batch.

Both sides train all weights with AdamW, in the same precision, without hooks and without recomputing activations: the
shipped config recomputes activations to save memory and averages weights in a hook, and the time of our side contains
neither. Our side is the Runner's ``train_step``, which normalises uint8 images, embeds the objects' prompts, logs
losses and their parts, and clips gradients. The other side is the loop that a user of open_clip writes: images are
already normalised, gradients are not clipped. Our text tower reads tokens up to the end of the longest caption,
open_clip's reads the whole context; so there are two rows, one against open_clip as it is, one against open_clip with a
context as short as ours. Weights are random; time does not depend on them.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from ...datasets.text.caption_text import caption_key
from ...errors import ConfigError
from ...registry import MODELS
from ...search.image_pipeline import build_tokenizer
from ...structures import RetrievalDataSample
from ...utils.checks import check_int, check_one_of
from .bare_loop import PRECISIONS, BareLoop
from .report import Goal, comparison
from .step_profile import floor_seconds, flops_of, most_time, peak_memory, sections_of
from .timing import Pairs, min_median_max, rounds

CONFIG = 'configs/regimes/vitb32_finetune_rsitmd.py'
GOAL = Goal('at most', 1.10)
TYPICAL_WORDS = (8, 15)  # of a caption of RSITMD; the second number is excluded


class Batch(NamedTuple):
    """B images with one caption each, as either side takes them.

    Attributes:
        data: a batch of the data loader for our side: ``inputs`` (B, 3, H, W) uint8 and ``data_samples``.
        images: (B, 3, H, W) float32, the output of our preprocessor.
        tokens: (B, T) int64, of the samples.
    """

    data: dict[str, Any]
    images: Tensor
    tokens: Tensor


def training_model(cfg: Config, device: str) -> nn.Module:
    """The config's model with random weights, nothing frozen and nothing recomputed, in training mode.

    Its head knows all categories of its lexicon, so that it embeds the highest number of prompts.

    Raises:
        ConfigError: the towers are not open_clip's.
    """
    cfg = Config(cfg.to_dict())
    for name in ('image_tower', 'text_tower'):
        tower = cfg.model[name]
        if not tower.type.startswith('OpenCLIP'):
            raise ConfigError(
                f'{name} of type {tower.type} has no counterpart in open_clip; take a config of configs/regimes with '
                'vitb32, rn50 or vitl14 in its name'
            )
        tower.update(pretrained=None, frozen=False)
        for key in ('grad_checkpointing', 'trainable_blocks'):
            tower.pop(key, None)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device)
    if hasattr(model.head, 'set_object_frequency'):
        model.head.set_object_frequency(torch.linspace(0.9, 0.01, len(model.head.lexicon)))
    return model.train()


def made_up_batch(model: Any, tokenizer: Any, size: int, device: str) -> Batch:
    """A batch on ``device``: noise, and captions of random categories of the lexicon.

    Samples stay in CPU memory, as from a data loader.
    """
    rng = np.random.default_rng(0)
    lexicon = model.head.lexicon
    samples = []
    for image_id in range(size):
        words = ' '.join(rng.choice(lexicon.categories, 15)).split()[: rng.integers(*TYPICAL_WORDS)]
        caption = f'{image_id} {" ".join(words)}'
        sample = RetrievalDataSample(metainfo=dict(img_path=f'{image_id}.jpg', captions=[caption]))
        sample.image_id = image_id
        sample.caption_ids = np.array([image_id])
        sample.caption_keys = np.array([caption_key(caption)])
        sample.tokens = tokenizer([caption])
        sample.object_counts = lexicon.count([caption]).astype(np.float32)
        samples.append(sample)
    height, width = model.image_tower.image_size
    pixels = torch.from_numpy(rng.integers(0, 256, (size, 3, height, width), dtype=np.uint8)).to(device)
    data = dict(inputs=pixels, data_samples=samples)
    with torch.no_grad():
        images = model.data_preprocessor(data, True)['inputs']
    return Batch(data, images, torch.from_numpy(np.concatenate([s.tokens for s in samples])).to(device))


def optim_wrapper_of(cfg: Config, model: nn.Module, precision: str) -> Any:
    """The config's optimizer, under autocast where ``precision`` is ``bf16``."""
    wrapper = dict(cfg.optim_wrapper.to_dict(), type='OptimWrapper')
    wrapper.pop('dtype', None)
    if precision == 'bf16':
        wrapper.update(type='AutocastOptimWrapper', dtype='bfloat16')
    return build_optim_wrapper(model, wrapper)


class Side(NamedTuple):
    """One step -> losses or loss, with its model and optimizer."""

    step: Callable[[], Any]
    model: Any
    optimizer: torch.optim.Optimizer


class Sides(NamedTuple):
    """All sides on one batch; ``short`` is theirs with a context of the ``read`` tokens that our text tower reads."""

    ours: Side
    theirs: Side
    short: Side
    batch: Batch
    read: int


def build_sides(cfg: Config, *, batch_size: int, precision: str, device: str) -> Sides:
    """Models, optimizers and batch.

    Raises:
        ConfigError: ``precision`` or ``batch_size`` is out of range, or the config's towers are not open_clip's.
    """
    check_one_of('', '--precision', precision, PRECISIONS)
    check_int('', '--batch-size', batch_size, least=2, hint='a single pair has nothing to be compared with')
    model: Any = training_model(cfg, device)
    wrapper = optim_wrapper_of(cfg, model, precision)
    batch = made_up_batch(model, build_tokenizer(cfg.train_dataloader.dataset.pipeline), batch_size, device)
    with torch.no_grad():
        read = model.text_tower(batch.tokens).words.shape[1]
    optimizer = {key: value for key, value in cfg.optim_wrapper.optimizer.to_dict().items() if key != 'type'}
    settings = dict(model=cfg.model.image_tower.model, optimizer=optimizer, precision=precision, device=device)
    bare, short = BareLoop(**settings), BareLoop(**settings, context_length=read)
    return Sides(
        Side(lambda: model.train_step(batch.data, wrapper), model, wrapper.optimizer),
        Side(lambda: bare.step(batch.images, batch.tokens), bare.model, bare.optimizer),
        Side(lambda: short.step(batch.images, batch.tokens[:, :read]), short.model, short.optimizer),
        batch,
        read,
    )


def compare_steps(
    cfg: Config,
    *,
    repeats: int,
    batch_size: int = 16,
    precision: str = 'fp32',
    device: str = 'cpu',
    rates: Optional[dict[str, float]] = None,
) -> list[dict[str, Any]]:
    """Time and profile all sides, and compute lower bounds.

    Args:
        cfg: config of a fine-tuning.
        repeats: steps of each side.
        batch_size: B.
        precision: of `PRECISIONS`, on all sides.
        device: where all run.
        rates: of `machine.rates`; without them lower bounds are left out.

    Returns:
        two rows of `report.comparison`, against open_clip with its own context and with a short one; ``details`` of
        each side: FLOPs of a step, lower bound in seconds, parameters, slowest operations, images/s, and on a GPU the
        peak memory.
    """
    sides = build_sides(cfg, batch_size=batch_size, precision=precision, device=device)
    parts = dict(ours=sides.ours, theirs=sides.theirs, short=sides.short)
    flops = {name: flops_of(side.step) for name, side in parts.items()}  # warms up
    calls = [side.step for side in parts.values()]
    seconds = dict(zip(parts, rounds(calls, repeats=repeats, warm_up=0, device=device)))
    details: dict[str, dict[str, Any]] = {}
    for name, side in parts.items():
        parameters = sum(p.numel() for p in side.model.parameters() if p.requires_grad)
        details[name] = dict(
            parameters=parameters,
            flops=flops[name],
            floor_s=None if rates is None else floor_seconds(flops[name], parameters, rates, precision),
            images_per_second=batch_size / min_median_max(seconds[name]).median,
            peak_memory_bytes=peak_memory(*side, device),
            most_time=most_time(side.step, device),
        )
    details['ours']['sections_s'] = sections_of(*sides.ours, device)
    model, full = sides.ours.model, sides.batch.tokens.shape[1]
    prompts = model.head.prompt_tokens
    return [
        comparison(
            what=f'training step, batch {batch_size}, {precision}, texts of {sides.read} and {length} tokens',
            ours=f'{type(model.neck).__name__} + {type(model.head).__name__}',
            theirs='open_clip + ClipLoss',
            pairs=Pairs(seconds['ours'], seconds[name]),
            goal=GOAL,
            details=dict(
                batch_size=batch_size,
                precision=precision,
                prompts=0 if prompts is None else len(prompts),
                tokens=dict(ours=sides.read, theirs=length),
                conditions='without hooks, nothing recomputed',
                details=dict(ours=details['ours'], theirs=details[name]),
            ),
        )
        for name, length in (('theirs', full), ('short', sides.read))
    ]
