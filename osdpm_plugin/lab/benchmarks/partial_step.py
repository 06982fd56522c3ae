"""One step of training the last blocks of both towers from a cache at their cut, against the uncached step on the same
tensors.

Both sides train one model with one optimizer by the Runner's ``train_step``: ViT-B/32 with its last two blocks, a text
tower of MiniLM's size with its last two layers, DAPN and OSFCM. The other side starts from uint8 images and tokens;
reading and decoding files is on neither side. The frozen part reads the objects' prompts once, on both sides, before
time is taken. Weights are random; time does not depend on them.

By its multiplications alone a step of L blocks, k of them trained, has the ratio (L + 2k) / 3k: a forward pass of all
and a backward pass of k, which costs twice as much, against both of k alone. That is 2.7 for 2 of 12 blocks.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from ...models.backbones.cutting import frozen_part
from ...registry import MODELS, TASK_UTILS
from ...utils.checks import check_int, check_one_of
from .bare_loop import PRECISIONS
from .report import Goal, comparison
from .timing import Pairs, rounds
from .training_step import made_up_batch, optim_wrapper_of

CONFIG = 'configs/regimes/vitb32_partial_rsitmd.py'  # its neck, head and optimizer
GOAL = Goal('at least', 4.0)
TRAINED = 2  # blocks of the image tower, layers of the text tower
TOKENIZER = dict(type='OpenCLIPTokenizer', model='ViT-B-32', context_length=32)
MINILM = dict(
    model_type='bert',
    vocab_size=49408,
    hidden_size=384,
    num_hidden_layers=6,
    num_attention_heads=12,
    intermediate_size=1536,
    max_position_embeddings=64,
)


def partial_model(cfg: Config, device: str) -> nn.Module:
    """The config's model with random weights, the last blocks of its image tower trained, and a text tower of MiniLM's
    size likewise, in training mode.
    """
    settings = copy.deepcopy(cfg.model.to_dict())
    settings['image_tower'].update(pretrained=None, frozen=False, trainable_blocks=TRAINED)
    settings['text_tower'] = dict(type='HFTextTower', config=MINILM, trainable_layers=TRAINED)
    joint = settings['neck']['embed_dims']
    width = MINILM['hidden_size']
    settings['text_neck'] = dict(type='TextProjection', in_channels=width, embed_dims=joint)
    settings['head']['tokenizer'] = TOKENIZER
    torch.manual_seed(0)
    model: Any = MODELS.build(settings).to(device)
    model.head.set_object_frequency(torch.linspace(0.9, 0.01, len(model.head.lexicon)))
    return model.train()


@torch.no_grad()
def from_cache(model: Any, data: dict) -> dict:
    """A batch of images and tokens -> the batch that `CachedFeatureDataset` gives for it, in half precision."""
    images = model.data_preprocessor(data, True)['inputs']
    samples = copy.deepcopy(data['data_samples'])
    for sample in samples:
        words, mask = frozen_part(model.text_tower, torch.from_numpy(sample.tokens).to(images.device))
        sample.tower_words, sample.tower_lengths = words.half().float().cpu().numpy(), mask.sum(dim=1).cpu().numpy()
    values = frozen_part(model.image_tower, images).values
    return dict(inputs=dict(cut=[value.half().unsqueeze(1) for value in values]), data_samples=samples)


def compare_partial_steps(
    cfg: Config, *, repeats: int, batch_size: int = 16, precision: str = 'fp32', device: str = 'cpu'
) -> list[dict[str, Any]]:
    """Time both sides in turns.

    Args:
        cfg: config with an image tower of open_clip, DAPN and OSFCM.
        repeats: steps of each side.
        batch_size: B.
        precision: of `PRECISIONS`, on both sides.
        device: where both run.

    Returns:
        a row of `report.comparison`.
    """
    check_one_of('', '--precision', precision, PRECISIONS)
    check_int('', '--batch-size', batch_size, least=2, hint='a single pair has nothing to be compared with')
    model: Any = partial_model(cfg, device)
    wrapper = optim_wrapper_of(cfg, model, precision)
    data = made_up_batch(model, TASK_UTILS.build(TOKENIZER), batch_size, device).data
    cached = from_cache(model, data)
    calls = [lambda: model.train_step(cached, wrapper), lambda: model.train_step(data, wrapper)]
    seconds = rounds(calls, repeats=repeats, device=device)
    return [
        comparison(
            what=f'step of the last {TRAINED} blocks, batch {batch_size}, {precision}',
            ours='from a cache at the cut',
            theirs='from images and tokens',
            pairs=Pairs(*seconds),
            goal=GOAL,
            details=dict(
                batch_size=batch_size,
                precision=precision,
                parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
                frozen=sum(p.numel() for p in model.parameters() if not p.requires_grad),
                conditions='without hooks, both sides train one model',
            ),
        )
    ]
