"""Shipped models of compared methods, their sizes, and features for their similarities."""

from __future__ import annotations

from typing import Optional

import torch
from mmengine.config import Config

import osdpm_plugin  # noqa: F401  (registers)
from osdpm_plugin.registry import MODELS
from osdpm_plugin.structures import NeckOutput, TextFeatures
from tests.helpers.paths import CONFIGS

RSICD_WORDS = 2576


def comparison_cfg(name: str, words: Optional[int] = None) -> Config:
    """Config of a shipped model, for a vocabulary of some words where they are given."""
    cfg = Config.fromfile(CONFIGS / '_base_' / 'models' / 'comparison' / f'{name}.py').model
    if words is not None:
        cfg.text_tower.vocab_size = words + 2  # padding, unknown words
    return cfg


def comparison_model(name: str, words: Optional[int] = None) -> torch.nn.Module:
    """The model of `comparison_cfg`."""
    return MODELS.build(comparison_cfg(name, words))


def count(module: torch.nn.Module) -> int:
    """Number of its parameters."""
    return sum(p.numel() for p in module.parameters())


def regions_and_words(
    lengths=(3, 1, 5), images: int = 2, regions: int = 4, width: int = 6, padded_to: Optional[int] = None, seed: int = 0
) -> tuple[NeckOutput, TextFeatures]:
    """Random regions, words and their pooled vectors, float64; padding holds large numbers."""
    generator = torch.Generator().manual_seed(seed)
    longest = padded_to or max(lengths)
    words = torch.zeros(len(lengths), longest, width, dtype=torch.float64)
    for row, length in enumerate(lengths):
        words[row, :length] = torch.randn(length, width, generator=generator, dtype=torch.float64)
        words[row, length:] = 100.0 * (row + 1)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    pooled = torch.randn(len(lengths), width, generator=generator, dtype=torch.float64)
    places = torch.randn(images, regions, width, generator=generator.manual_seed(seed + 9), dtype=torch.float64)
    return NeckOutput.of(places.mean(dim=1), regions=places), TextFeatures(words=words, mask=mask, pooled=pooled)
