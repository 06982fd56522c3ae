"""Captions -> the recall that repeated captions allow a perfect model.

Two answers, since a model may do better than treat all its captions alike:

- ``identical``: the model scores 1 where an image has a caption of that very text, else 0. Its tie groups are all it
  knows, so the three rules for ties give three numbers. `identical_text_ranks` counts them without a score matrix.
- ``bound``: no model that gives equal texts equal scores can have more. i2t: it ranks one of the image's texts first,
  the one that the fewest other captions equal; copies of it tie. t2i: it orders images as it likes, but in the same way
  for each occurrence of a text, so that a text's first K images are at best the K that own most of its occurrences.
  Under the rule ``optimistic`` the bound is 100 percent, for a model that scores everything alike too.

Proof for i2t under ``expected``: the logarithm of the chance to miss after k draws from a tie group is concave in k, so
that draws spread over several texts miss at least as often as all of them spent on the best text.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import torch

from ....evaluation import QueryRanks, RetrievalRanks, hit_probability, summarise
from .caption_counts import Captions, images_of_texts

TOPK = (1, 5, 10)


def identical_text_ranks(captions: Captions) -> RetrievalRanks:
    """Ranks of the model that scores 1 for every (image, text of one of its captions) and 0 else.

    Equal to `ranks_from_scores` of that (N, M) matrix; memory is that of the captions.

    Args:
        captions: (N,) lists of texts, at least one each, compared as they are.
    """
    images = images_of_texts(captions)
    occurrences = Counter(text for texts in captions for text in texts)
    own = torch.tensor([len(texts) for texts in captions])  # (N,)
    alike = torch.tensor([sum(occurrences[text] for text in set(texts)) for texts in captions])  # (N,)
    holders = torch.tensor([images[text] for texts in captions for text in texts])  # (M,)
    return RetrievalRanks(
        QueryRanks(torch.zeros_like(own), alike, own),
        QueryRanks(torch.zeros_like(holders), holders, torch.ones_like(holders)),
    )


def bound(captions: Captions, topk: Sequence[int] = TOPK) -> dict[str, dict[str, float]]:
    """Upper bounds in percent: ``{'expected' or 'pessimistic': {'i2t_R@K', 't2i_R@K', 'Rsum', 'mR'}}``.

    Each K has its own bound; one model need not reach all of them at once.

    Args:
        captions: see `identical_text_ranks`.
        topk: the K.
    """
    occurrences = Counter(text for texts in captions for text in texts)
    rows = [(n, occurrences[text], own) for n, texts in enumerate(captions) for text, own in Counter(texts).items()]
    image, alike, own = torch.tensor(rows).unbind(dim=1)  # (P,) pairs of an image and one of its texts
    ranks = QueryRanks(torch.zeros_like(own), alike, own)
    held: dict[str, list[int]] = defaultdict(list)  # text -> its occurrences in each image that has it
    for texts in captions:
        for text, count in Counter(texts).items():
            held[text].append(count)
    total = sum(occurrences.values())
    result = {}
    for ties in ('expected', 'pessimistic'):
        values = {}
        for k in topk:
            best = torch.zeros(len(captions), dtype=torch.float64)
            best.scatter_reduce_(0, image, hit_probability(ranks, k, ties), 'amax')
            values[f'i2t_R@{k}'] = 100 * math.fsum(best.tolist()) / len(captions)
        for k in topk:
            values[f't2i_R@{k}'] = 100 * sum(sum(sorted(c, reverse=True)[:k]) for c in held.values()) / total
        recalls = math.fsum(values.values())
        result[ties] = {**values, 'Rsum': recalls, 'mR': recalls / (2 * len(topk))}
    return result


def ceiling(captions: Captions, topk: Sequence[int] = TOPK) -> dict[str, dict[str, dict[str, float]]]:
    """``{'identical': {rule: {name: value}}, 'bound': {rule: {name: value}}}``, recalls in percent.

    Args:
        captions: see `identical_text_ranks`.
        topk: the K.
    """
    return dict(identical=summarise(identical_text_ranks(captions), topk), bound=bound(captions, topk))
