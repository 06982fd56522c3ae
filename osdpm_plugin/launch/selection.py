"""Config -> how the best checkpoint is chosen: on val by default, on test only by an explicit switch.

Choosing the best of many epochs on the split that is reported makes the reported numbers too high. It is refused unless
the config says ``select_on_test = True``; then every run prints a warning, and every result file records it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any, Optional

from mmengine.config import Config

from ..datasets.config_views import leaves
from ..errors import ConfigError
from ..registry import DATASETS, METRICS
from ..utils.checks import check_bool
from .faults import explain

ON_TEST = 'select_on_test = True: the best checkpoint is chosen on the TEST split; its numbers are optimistic'


def check_selection(cfg: Config) -> Optional[str]:
    """Refuse a config that saves the best checkpoint by the split it is tested on.

    Two data sets are the same if annotation file and split are; a split None holds all others, ``trainval`` train and
    val. Data sets of other packages, which name no split, are not compared.

    Returns:
        A warning to print if the config allows it and does it, else None.

    Raises:
        ConfigError: val and test are the same split, ``save_best`` is set, and the config has no
            ``select_on_test = True``; or that key is not a bool; or ``save_best`` names no metric of the validation, or
            one whose ``rule`` would keep the worst.
    """
    _check_metrics(cfg)
    allowed = check_bool('', 'select_on_test', cfg.get('select_on_test', False))
    shared = _shared(cfg)
    if save_best_of(cfg) is None or not shared:
        return None
    if not allowed:
        path, split = shared[0]
        raise ConfigError(
            f'val_dataloader and test_dataloader both read split {split!r} of {path}, so that save_best would choose '
            'the checkpoint on test; validate on another split, or set select_on_test = True to do so openly'
        )
    return ON_TEST


def _check_metrics(cfg: Config) -> None:
    """Check what ``save_best`` names, where the metrics of all evaluators are known, before an epoch is trained."""
    evaluators = cfg.get('val_evaluator') or []
    evaluators = [evaluators] if isinstance(evaluators, Mapping) else list(evaluators)
    if not evaluators or any(not isinstance(e, Mapping) or e.get('type') != 'ImageTextRecall' for e in evaluators):
        return
    try:
        names = [name for evaluator in evaluators for name in METRICS.build(evaluator).names()]
    except (TypeError, KeyError) as error:
        raise explain(error) from error
    for hook in _hooks(cfg):
        best, rule = hook.get('save_best'), hook.get('rule')
        for name, how in zip(*_in_step(best, rule)):
            name = names[0] if name == 'auto' else name  # the first, as mmengine takes it
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                raise ConfigError(
                    f'save_best={name!r} is no metric of the validation, which gives {", ".join(names)}'
                    f'{f"; did you mean {close[0]!r}?" if close else ""}'
                )
            right = 'less' if name.endswith('_medr') else 'greater'
            if how != right:
                raise ConfigError(
                    f'save_best={name!r} with rule={how!r} would not keep the best checkpoint; set rule={right!r} '
                    'beside it'
                )


def _in_step(best: Any, rule: Any) -> tuple[list, list]:
    """``save_best`` and ``rule`` as lists of equal length, as mmengine pairs them."""
    names = [best] if isinstance(best, str) else list(best or ())
    rules = list(rule) if isinstance(rule, (list, tuple)) else [rule]
    return names, rules * len(names) if len(rules) == 1 else rules


def _hooks(cfg: Config) -> list[Mapping[str, Any]]:
    """The configs of the hooks that may save checkpoints."""
    hooks = [(cfg.get('default_hooks') or {}).get('checkpoint'), *(cfg.get('custom_hooks') or [])]
    return [hook for hook in hooks if isinstance(hook, Mapping)]


def save_best_of(cfg: Config) -> Optional[str]:
    """Metric by which the best checkpoint is kept, e.g. 'retrieval/mR'; 'auto' as it stands; None for none."""
    for hook in _hooks(cfg):
        best = hook.get('save_best')
        if best:
            return best if isinstance(best, str) else best[0]
    return None


def describe_selection(cfg: Config, checkpoint: str, epoch: Optional[int]) -> str:
    """How a checkpoint was chosen, in words, from its name and the config.

    Args:
        checkpoint: path of the file; mmengine names the best one ``best_<metric>_epoch_<n>.pth``.
        epoch: training epochs behind it, None if not known.

    Returns:
        'best retrieval/mR on val' or whatever the split is called, 'best retrieval/mR on TEST', 'last', or what else
        can be said.
    """
    name = os.path.basename(checkpoint)
    metric = save_best_of(cfg)
    if name.startswith('best_'):
        named = sorted({split for _, split in _splits(cfg.get('val_dataloader')) if split})
        where = 'TEST' if _shared(cfg) else ' and '.join(named) or 'val'
        fits = metric is not None and (metric == 'auto' or name.startswith(f'best_{metric.replace("/", "_")}_'))
        return f'best {metric} on {where}' if fits else f'best on {where} by a rule that the config does not name'
    if epoch is None:
        return 'given weights'
    last = (cfg.get('train_cfg') or {}).get('max_epochs')
    return 'last' if epoch == last else f'epoch {epoch}, named by the user'


def _shared(cfg: Config) -> list[tuple[str, str]]:
    """(annotation file, split) of the test data that val reads too; a split None is the whole file."""
    val, test = (_splits(cfg.get(name)) for name in ('val_dataloader', 'test_dataloader'))
    return [
        (path, str(split))
        for path, split in test
        if any(os.path.realpath(path) == os.path.realpath(other) and _overlap(split, part) for other, part in val)
    ]


def _splits(dataloader: Any) -> list[tuple[str, Optional[str]]]:
    """(annotation file, split) of all retrieval data sets of a loader."""
    found = []
    for dataset in leaves(dataloader.get('dataset') if isinstance(dataloader, Mapping) else None):
        if 'split' in dataset:
            ann_file = dataset.get('ann_file')
            if ann_file is None:
                kind = dataset.get('type')
                kind = DATASETS.get(kind) if isinstance(kind, str) else kind
                ann_file = getattr(getattr(kind, 'FACTS', None), 'ann_file', '')
            path = os.path.normpath(os.path.join(str(dataset.get('data_root', '')), str(ann_file)))
            found.append((path, dataset['split']))
    return found


def _overlap(split: Optional[str], other: Optional[str]) -> bool:
    """Whether two splits of one file share images."""
    if split is None or other is None:
        return True
    parts, others = ({'train', 'val'} if name == 'trainval' else {name} for name in (split, other))
    return bool(parts & others)
