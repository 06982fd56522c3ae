"""Hook that gives the OSFCM head the frequency of each object in the training captions, before training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log

from ..datasets.lexicon import Lexicon
from ..registry import HOOKS
from ..utils.dist import unwrapped


def object_frequency(dataset: Any, lexicon: Lexicon) -> np.ndarray:
    """Share of a data set's images whose captions name each category: (O,) float64.

    Args:
        dataset: mmengine data set (or a concatenation) whose items carry ``captions``.
    """
    named = np.zeros(len(lexicon), dtype=np.int64)
    for index in range(len(dataset)):
        named += lexicon.count(dataset.get_data_info(index)['captions']) > 0
    return named / len(dataset)


@HOOKS.register_module()
class ObjectFrequencyHook(Hook):
    """Count objects in the captions of the training data; no other split is read.

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
