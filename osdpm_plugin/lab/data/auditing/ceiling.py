"""Captions -> the highest recall that is possible with repeated captions.

There are two answers, because a model may do better than score all captions of an image equally:

- ``identical``: the model scores 1 if an image has a caption with exactly this text, else 0. It can only form groups of
  ties, so the three rules for ties give three numbers. `identical_text_ranks` counts them without a score matrix.
- ``bound``: the upper bound for all models that give equal texts equal scores. i2t: such a model ranks one of the
  image's texts first, the one with the fewest copies; its copies tie. t2i: it orders images freely, but in the same way
  for each occurrence of a text, so the first K images of a text are at best the K with most of its occurrences. Under
  the rule ``optimistic`` the bound is 100 percent, even for a model that gives everything the same score.

Proof for i2t under ``expected``: the logarithm of the probability to miss with k draws from a tie group is concave in
k. So k draws from several texts miss at least as often as k draws from the best text.
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

    Each K has its own bound; there may be no model that reaches all of them.
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
    """``{'identical': {rule: {name: value}}, 'bound': {rule: {name: value}}}``, recalls in percent."""
    return dict(identical=summarise(identical_text_ranks(captions), topk), bound=bound(captions, topk))
