"""One step of fine-tuning a CLIP model with DAPN and OSFCM, against open_clip's model with its loss on the same batch.

Both sides train everything with AdamW, in one precision, without recomputing activations. Ours is what the Runner calls
for a shipped config: uint8 images are normalised in the step, the objects' prompts are read, losses and their parts
are logged, gradients are clipped. Theirs is the loop that a user of open_clip writes: images arrive normalised, tokens
in the full context length, no clipping. Weights are random, on which time does not depend.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator, NamedTuple, Optional

import numpy as np
import open_clip
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from ..datasets.caption_text import caption_key
from ..errors import ConfigError
from ..registry import MODELS, TASK_UTILS
from ..structures import RetrievalDataSample
from .report import Goal, comparison
from .step_profile import floor_seconds, flops_of, most_time, sections_of
from .timing import in_turns

CONFIG = 'configs/regimes/vitb32_finetune_rsitmd.py'
GOAL = Goal('at most', 1.10)
PRECISIONS = dict(fp32=None, bf16=torch.bfloat16)
TYPICAL_WORDS = (8, 15)  # of a caption of RSITMD, least and greatest but one


class Batch(NamedTuple):
    """B images with one caption each, as either side takes them.

    Attributes:
        data: what the data loader gives our side: ``inputs`` (B, 3, H, W) uint8 and ``data_samples``.
        images: (B, 3, H, W) float32, what our preprocessor makes of them.
        tokens: (B, T) int64, those of the samples.
    """

    data: dict[str, Any]
    images: Tensor
    tokens: Tensor


def training_model(cfg: Config, device: str) -> nn.Module:
    """The config's model with random weights, nothing frozen and nothing recomputed, in training mode.

    Its head knows all categories of its lexicon, so that it reads as many prompts as it ever does.

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

    Args:
        model: of `training_model`.
        tokenizer: captions -> tokens.
        size: B.
        device: of images and tokens; samples stay in the memory of the CPU, as a data loader leaves them.
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


class BareLoop:
    """open_clip's model, its loss, AdamW: what is timed as the other side.

    Args:
        model: name of an open_clip architecture, or a dict with ``embed_dim``, ``vision_cfg`` and ``text_cfg``.
        optimizer: keyword arguments of AdamW.
        precision: of `PRECISIONS`.
        device: of the model.
    """

    def __init__(self, *, model: Any, optimizer: dict[str, Any], precision: str, device: str) -> None:
        torch.manual_seed(0)
        if isinstance(model, str):
            self.model = open_clip.create_model(model, pretrained=None, device=device)
        else:
            self.model = open_clip.CLIP(**model).to(device)
        self.model.train()
        self.loss = open_clip.ClipLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), **optimizer)
        self.dtype = PRECISIONS[precision]

    def step(self, images: Tensor, tokens: Tensor) -> Tensor:
        """One step on normalised images (B, 3, H, W) and tokens (B, T) -> loss, scalar."""
        self.optimizer.zero_grad()
        autocast: Any = contextlib.nullcontext()
        if self.dtype is not None:
            autocast = torch.autocast(images.device.type, dtype=self.dtype)
        with autocast:
            image_embed = self.model.encode_image(images, normalize=True)
            text_embed = self.model.encode_text(tokens, normalize=True)
            loss = self.loss(image_embed, text_embed, self.model.logit_scale.exp())
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, np.log(100))
        return loss.detach()


class Sides(NamedTuple):
    """Both sides of the comparison on one batch.

    Attributes:
        ours: one step -> losses.
        theirs: one step -> loss.
        model: ours.
        wrapper: our optimizer.
        bare: theirs.
        batch: of both.
    """

    ours: Callable[[], dict[str, Tensor]]
    theirs: Callable[[], Tensor]
    model: Any
    wrapper: Any
    bare: BareLoop
    batch: Batch


def build_sides(cfg: Config, *, batch_size: int, precision: str, device: str) -> Sides:
    """Models, optimizers and batch.

    Raises:
        ConfigError: ``precision`` or ``batch_size`` is out of range, or the config's towers are not open_clip's.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
    if batch_size < 2:
        raise ConfigError(f'a batch of {batch_size} has nothing to contrast; set --batch-size to at least 2')
    model: Any = training_model(cfg, device)
    optimizer = {key: v for key, v in cfg.optim_wrapper.optimizer.to_dict().items() if key != 'type'}
    wrapper = optim_wrapper_of(cfg, model, precision)
    bare = BareLoop(model=cfg.model.image_tower.model, optimizer=optimizer, precision=precision, device=device)
    steps = cfg.train_dataloader.dataset.pipeline
    tokenizer = TASK_UTILS.build(next(step.tokenizer for step in steps if step.type == 'TokenizeCaptions'))
    batch = made_up_batch(model, tokenizer, batch_size, device)
    return Sides(
        ours=lambda: model.train_step(batch.data, wrapper),
        theirs=lambda: bare.step(batch.images, batch.tokens),
        model=model,
        wrapper=wrapper,
        bare=bare,
        batch=batch,
    )


def compare_steps(
    cfg: Config,
    *,
    repeats: int,
    batch_size: int = 32,
    precision: str = 'fp32',
    device: str = 'cpu',
    rates: Optional[dict[str, float]] = None,
) -> dict[str, Any]:
    """Time both, profile both, and compute floors.

    Args:
        cfg: config of a fine-tuning.
        repeats: steps of each side.
        batch_size: B.
        precision: of `PRECISIONS`, on both sides.
        device: where both run.
        rates: of `machine.rates`; floors are left out without.

    Returns:
        a row of `report.comparison`; ``details`` of each side: FLOPs of a step, floor in seconds, parameters, what
        takes most time, images/s, and on a GPU the most memory.
    """
    sides = build_sides(cfg, batch_size=batch_size, precision=precision, device=device)
    pairs = in_turns(sides.ours, sides.theirs, repeats=repeats, warm_up=2, device=device)
    details = {}
    for name, step, seconds, module in (
        ('ours', sides.ours, pairs.ours, sides.model),
        ('theirs', sides.theirs, pairs.theirs, sides.bare.model),
    ):
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        flops = flops_of(step)
        details[name] = dict(
            parameters=parameters,
            flops=flops,
            floor_s=None if rates is None else floor_seconds(flops, parameters, rates, precision),
            images_per_second=batch_size / sorted(seconds)[len(seconds) // 2],
            peak_memory_bytes=_peak_memory(step, device),
            most_time=most_time(step, device),
        )
    details['ours']['sections_s'] = sections_of(sides.model, sides.wrapper, sides.ours, device)
    return comparison(
        f'training step, batch {batch_size}, {precision}',
        type(sides.model.neck).__name__ + ' + ' + type(sides.model.head).__name__,
        'open_clip + ClipLoss',
        pairs,
        GOAL,
        batch_size=batch_size,
        precision=precision,
        prompts=_prompts(sides.model),
        tokens=list(sides.batch.tokens.shape),
        details=details,
    )


def _prompts(model: Any) -> int:
    tokens = model.head.prompt_tokens
    return 0 if tokens is None else len(tokens)


def _peak_memory(step: Callable[[], object], device: str) -> Optional[int]:
    """Most bytes on the GPU during a step, both models included; None on a CPU."""
    if not device.startswith('cuda'):
        return None
    with _fresh_peak(device):
        step()
    return torch.cuda.max_memory_allocated(device)


@contextlib.contextmanager
def _fresh_peak(device: str) -> Iterator[None]:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    yield
    torch.cuda.synchronize(device)
