"""A tiny OSDPM and batches for it."""

from __future__ import annotations

import numpy as np
import torch

import osdpm_plugin  # noqa: F401  (registers)
from osdpm_plugin.datasets.text.caption_text import caption_key
from osdpm_plugin.registry import MODELS, TASK_UTILS
from osdpm_plugin.structures import RetrievalDataSample
from tests.helpers.generated_data import captions_of

EMBED_DIM = 16
CLIP = dict(
    embed_dim=EMBED_DIM,
    vision_cfg=dict(image_size=32, layers=2, width=64, head_width=32, patch_size=8),
    text_cfg=dict(context_length=16, vocab_size=49408, width=32, heads=2, layers=2),
)
TOKENIZER = dict(type='OpenCLIPTokenizer', model='ViT-B-32', context_length=16)


def osdpm_cfg(**changes) -> dict:
    """Config of a tiny trainable OSDPM; ``changes`` replace top-level keys."""
    return dict(
        dict(
            type='ImageTextRetriever',
            image_tower=dict(type='OpenCLIPImageTower', model=CLIP),
            text_tower=dict(type='OpenCLIPTextTower', model=CLIP),
            neck=dict(type='DAPN', in_channels=(64,), embed_dims=EMBED_DIM, channels=32, adapter=True, gate_init=0.3),
            text_neck=dict(type='TextProjection', embed_dims=EMBED_DIM, adapter=True),
            head=dict(type='OSFCMHead', tokenizer=TOKENIZER, num_objects=6),
        ),
        **changes,
    )


def build(seed: int = 0, **changes):
    """The model of `osdpm_cfg`, with object frequencies of a made-up training set."""
    torch.manual_seed(seed)
    model = MODELS.build(osdpm_cfg(**changes))
    if hasattr(model.head, 'set_object_frequency'):
        frequency = torch.zeros(len(model.head.lexicon))
        frequency[:8] = torch.linspace(0.9, 0.2, 8)
        model.head.set_object_frequency(frequency)
    return model


def batch(
    ids, captions_each: int = 1, num_objects: int | None = None, size: int = 32, tokenizer: dict = TOKENIZER
) -> dict:
    """What `default_collate` delivers for these image ids; pixels and texts are functions of the id."""
    tokenize = TASK_UTILS.build(tokenizer)
    images, samples = [], []
    for image_id in ids:
        texts = captions_of(image_id)[:captions_each]
        sample = RetrievalDataSample(metainfo=dict(img_path=f'{image_id}.jpg', captions=texts))
        sample.image_id = int(image_id)
        sample.caption_ids = np.arange(captions_each, dtype=np.int64) + 5 * image_id
        sample.caption_keys = np.array([caption_key(t) for t in texts], dtype=np.int64)
        sample.tokens = tokenize(texts)
        if num_objects:
            rng = np.random.default_rng(image_id)
            sample.object_counts = (rng.random(num_objects) * (rng.random(num_objects) < 0.3)).astype(np.float32)
        pixels = np.random.default_rng(image_id).integers(0, 255, (3, size, size), dtype=np.uint8)
        images.append(torch.from_numpy(pixels))
        samples.append(sample)
    return dict(inputs=torch.stack(images), data_samples=samples)
