"""Embeddings of a split -> recall at every K in both directions, with the recall of a random order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from ..evaluation import QueryRanks, ranks_from_embeddings, recall_at
from ..evaluation.embedded_split import EmbeddedSplit
from .page import GREY, INK, RULE, blank, font_of

WIDTH, HEIGHT = 1000, 700  # pixels
POINTS = 60  # values of K, evenly spaced on a logarithmic axis
SMALL, BODY, TITLE = 16, 19, 24  # font sizes
STYLES = (('image to text', '#0b5fa5', '-'), ('text to image', '#b3541e', '--'))


class RecallCurve(NamedTuple):
    """One direction.

    Attributes:
        ks: (P,) int64, ascending from 1 to the number of candidates.
        recall: (P,) percent, exact expectation under ties.
        chance: (P,) percent, of candidates in random order.
    """

    ks: np.ndarray
    recall: np.ndarray
    chance: np.ndarray


def recall_curves(split: EmbeddedSplit) -> tuple[RecallCurve, RecallCurve]:
    """Image to text, and text to image.

    Raises:
        MetricError: ids or embeddings of the split contradict each other.
    """
    ids = split.image_ids, split.caption_image_ids
    ranks = ranks_from_embeddings(split.image_embed, split.text_embed, *ids, caption_ids=split.caption_ids)
    images, captions = len(split.image_ids), len(split.caption_ids)
    owned = (split.image_ids[:, None] == split.caption_image_ids).sum(axis=1)  # captions of each image
    return _curve(ranks.i2t, captions, owned), _curve(ranks.t2i, images, np.ones(captions, dtype=np.int64))


def draw_recall_curves(split: EmbeddedSplit, *, title: str) -> Figure:
    """Both curves on fixed axes, so that the pictures of several epochs can be compared: `WIDTH` x `HEIGHT` pixels.

    Raises:
        MetricError: ids or embeddings of the split contradict each other.
    """
    figure = blank(WIDTH, HEIGHT)
    axes = figure.add_axes((0.09, 0.23, 0.87, 0.68))  # the legend is below the axes, where it hides no curve
    curves = recall_curves(split)
    for (name, colour, dashes), curve in zip(STYLES, curves):
        known = ', '.join(f'R@{k} {curve.recall[curve.ks == k][0]:.1f}' for k in (1, 5, 10) if k in curve.ks)
        axes.plot(curve.ks, curve.recall, color=colour, linestyle=dashes, linewidth=2.2, label=f'{name}: {known}')
        axes.plot(curve.ks, curve.chance, color=colour, linestyle=':', linewidth=1.2, label=f'{name}, by chance')
    axes.set(xscale='log', xlim=(1, max(2, *(curve.ks[-1] for curve in curves))), ylim=(0, 100))
    axes.set_title(title, fontproperties=font_of(TITLE, True), color=INK, loc='left')
    axes.set_xlabel('K, number of answers looked at', fontproperties=font_of(BODY), color=INK)
    axes.set_ylabel('recall at K, percent', fontproperties=font_of(BODY), color=INK)
    axes.xaxis.set_major_formatter('{x:.0f}')
    axes.xaxis.set_minor_formatter('')
    axes.grid(color=RULE, linewidth=0.8)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set(fontproperties=font_of(SMALL), color=GREY)
    axes.legend(prop=font_of(SMALL), loc='upper center', bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    return figure


def _curve(ranks: QueryRanks, candidates: int, positives: np.ndarray) -> RecallCurve:
    """One direction; positives (Q,) of each query."""
    spaced = np.geomspace(1, candidates, POINTS).round().astype(np.int64)
    ks = np.unique(np.concatenate([spaced, [k for k in (1, 5, 10) if k <= candidates]]))
    # with all candidates in one tie group, the expectation is that of a random order
    all_tied = torch.full((len(positives),), candidates)
    chance = QueryRanks(torch.zeros_like(all_tied), all_tied, torch.from_numpy(positives))
    return RecallCurve(ks, *(np.array([recall_at(way, int(k)) for k in ks]) for way in (ranks, chance)))
