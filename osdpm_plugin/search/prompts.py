"""``prompts`` of a config -> sentences that a query is put into; the vectors of all of them -> the query's.

``prompts`` is a sentence with ``{}`` in the place of the query, a list of such, or the name of a list in `ENSEMBLES`. A
CLIP has seen sentences, so that *river* alone is far from what it was trained on, *an aerial photo of a river.* near.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import ConfigError

ENSEMBLES = dict(  # ours
    remote_sensing=(
        'an aerial image of {}.',
        'an aerial photo that shows {}.',
        'a satellite image of {}.',
        'a satellite photo that shows {}.',
        'a remote sensing image of {}.',
        'an overhead view of {}.',
        '{} seen from above.',
        '{} in a high-resolution satellite image.',
        'an orthophoto with {}.',
        'a drone photo of {}, taken from high above.',
    )
)


def templates_of(prompts: Any) -> tuple[str, ...]:
    """``prompts`` of a config -> its P sentences with ``{}``; none for None: texts stay as they are.

    Raises:
        ConfigError: it is neither the name of an ensemble nor sentences with ``{}``.

    Example:
        >>> templates_of('a photo of {}.')
        ('a photo of {}.',)
        >>> len(templates_of('remote_sensing'))
        10
    """
    if prompts is None:
        return ()
    if isinstance(prompts, str):
        prompts = ENSEMBLES.get(prompts, [prompts])
    if not isinstance(prompts, (list, tuple)) or not prompts:
        raise ConfigError(f'prompts={prompts!r} must be a sentence with {{}} for the text, a list of such, or a name')
    wrong = [sentence for sentence in prompts if not isinstance(sentence, str) or '{}' not in sentence]
    if wrong:
        raise ConfigError(
            f'prompts: {wrong[0]!r} has no {{}} in the place of the text; write a sentence such as '
            f"'an aerial image of {{}}.', or the name of an ensemble ({', '.join(ENSEMBLES)})"
        )
    return tuple(prompts)


def prompted(texts: Sequence[str], templates: Sequence[str]) -> list[str]:
    """M texts and P sentences -> the M P prompts, those of a text one after another; a text loses its full stop.

    Example:
        >>> prompted(['a river.', 'two planes'], ['an image of {}.'])
        ['an image of a river.', 'an image of two planes.']
    """
    return [sentence.replace('{}', text.strip().rstrip('.')) for text in texts for sentence in templates]


def mean_of_prompts(embedding: np.ndarray, count: int) -> np.ndarray:
    """(M P, D) vectors of the prompts of M texts -> (M, D) float32: the mean of unit vectors, of unit length again.

    Args:
        embedding: those of a text one after another.
        count: P.
    """
    units = F.normalize(torch.from_numpy(embedding).double(), dim=-1)  # (M P, D)
    return F.normalize(units.unflatten(0, (-1, count)).mean(dim=1), dim=-1).float().numpy()
