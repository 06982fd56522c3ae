"""A tiny retriever of words and regions with a similarity of pairs, and batches for it."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

import osdpm_plugin  # noqa: F401  (registers)
from osdpm_plugin.models.backbones import WordEmbedding
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import NeckOutput, TextFeatures
from tests.helpers import tiny_models as tiny
from tests.helpers.generated_data import words_of_captions

TOKENIZER = dict(type='WordTokenizer', context_length=12)
THREE_STAGES = dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
BOTH_WAYS = dict(hidden_channels=16, bidirectional=True)
STATISTICS = dict(type='RetrievalDataPreprocessor', mean=(127.5,) * 3, std=(127.5,) * 3)


@MODELS.register_module(force=True)
class BestRegionOfWords(BaseModule):
    """For tests: mean over words of the greatest dot product with a region, times a learned scale."""

    indexable = False

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.5))

    def forward(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """(B, R, D) and (M, T, D) -> (B, M)."""
        best = torch.einsum('brd,mtd->bmrt', images.regions, texts.words).amax(dim=2)  # (B, M, T)
        counts = texts.mask.sum(dim=1).clamp(min=1)
        return self.scale * (best * texts.mask).sum(dim=2) / counts


def pair_cfg(**changes) -> dict:
    """Config of the retriever; ``changes`` replace top-level keys."""
    return dict(
        dict(
            type='ImageTextRetriever',
            data_preprocessor=STATISTICS,
            image_tower=dict(type='mmpretrain.ResNet', depth=18, base_channels=4, **THREE_STAGES),
            text_tower=dict(type='GRUTextTower', vocab_size=400, word_channels=6, **BOTH_WAYS),
            neck=dict(type='RegionNeck', in_channels=16, embed_dims=16),
            text_neck=dict(type='WordProjection', embed_dims=16),
            similarity=dict(type='BestRegionOfWords'),
            head=dict(type='MatchingHead', losses=[dict(type='TripletLoss')]),
        ),
        **changes,
    )


def build(seed: int = 0, **changes):
    """The model of `pair_cfg`, with the words of the first forty images of `tests.helpers.generated_data`."""
    torch.manual_seed(seed)
    model = MODELS.build(pair_cfg(**changes))
    for module in model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(words_of_captions())
    return model


def batch(ids, captions_each: int = 1, size: int = 64) -> dict:
    """As `tests.helpers.tiny_models.batch`, with word tokens."""
    return tiny.batch(ids, captions_each=captions_each, size=size, tokenizer=TOKENIZER)
