"""Hook that gives the OSFCM head the frequency of each object in training captions and labels, before training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log

from ..datasets.lexicon import Lexicon
from ..datasets.sets.wrappers import infos_of
from ..registry import HOOKS
from ..utils.dist import unwrapped


def object_frequency(dataset: Any, lexicon: Lexicon) -> np.ndarray:
    """Share of a data set's images with captions whose captions name each category: (O,) float64.

    Args:
        dataset: mmengine data set (or a concatenation) whose items carry ``captions``.
    """
    named = np.zeros(len(lexicon), dtype=np.int64)
    total = 0
    for info in infos_of(dataset):
        named += lexicon.count(info['captions']) > 0
        total += len(info['captions']) > 0
    return named / max(total, 1)


def label_frequency(dataset: Any) -> dict[str, float]:
    """Category -> share of a data set's images with labels that have it, in the order of names.

    Args:
        dataset: mmengine data set (or a concatenation) some items of which carry ``labels``.
    """
    labels = [info['labels'] for info in infos_of(dataset) if info.get('labels')]
    counts = Counter(name for names in labels for name, number in names.items() if number > 0)
    return {name: counts[name] / len(labels) for name in sorted(counts)}


@HOOKS.register_module()
class ObjectFrequencyHook(Hook):
    """Count objects in the captions of the training data, and its labels; no other split is read.

    Heads without ``set_object_frequency`` are left alone.
    """

    def before_train(self, runner: Any) -> None:
        """Set the frequencies, the same on every process."""
        model = unwrapped(runner.model)
        head: Any = getattr(model, 'head', None)
        if not hasattr(head, 'set_object_frequency'):
            return
        frequency = object_frequency(runner.train_dataloader.dataset, head.lexicon)
        head.set_object_frequency(torch.as_tensor(frequency, dtype=torch.float32))
        top = ', '.join(f'{head.lexicon.categories[i]} {frequency[i]:.0%}' for i in np.argsort(-frequency)[:8])
        print_log(
            f'Objects named in training captions: {int((frequency > 0).sum())} of {len(frequency)} categories; '
            f'most images name {top}',
            logger='current',
        )
        labels = label_frequency(runner.train_dataloader.dataset)
        if labels:
            head.set_label_frequency(labels)
            print_log(f'Labels of training images: {len(labels)} categories', logger='current')
