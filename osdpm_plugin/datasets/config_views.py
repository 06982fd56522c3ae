"""A config -> its test pipeline, its hooks, and the data sets that are named inside wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError


def inner_sets(dataset: Any) -> list[Any]:
    """What the config of a wrapper, such as ConcatDataset, holds; nothing for a data set that is no wrapper."""
    if not isinstance(dataset, Mapping):
        return []
    return [part for part in (dataset.get('dataset'), *(dataset.get('datasets') or ())) if part is not None]


def leaves(dataset: Any) -> Iterator[Mapping[str, Any]]:
    """The configs of data sets that are no wrappers: this one, or those inside it, each once where it is repeated."""
    parts = [part for part in inner_sets(dataset) if isinstance(part, Mapping)]
    for part in parts:
        yield from leaves(part)
    if not parts and isinstance(dataset, Mapping):
        yield dataset


def pipeline_of(dataset: Mapping[str, Any]) -> list[dict]:
    """Configs of the transforms of a data set, or of the one that it is wrapped around; none where it has none."""
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    return [dict(step) for step in dataset.get('pipeline') or ()]


def test_pipeline(cfg: Mapping[str, Any]) -> list[dict]:
    """Configs of the transforms that ``test_dataloader`` reads images with, inside wrappers too.

    Args:
        cfg: the whole config.

    Raises:
        ConfigError: it has none.
    """
    steps = pipeline_of((cfg.get('test_dataloader') or {}).get('dataset') or {})
    if not steps:
        name = getattr(cfg, 'filename', None)
        raise ConfigError(
            f'{f"config {name}" if name else "the config"} has no test_dataloader.dataset.pipeline, which says how '
            'images are read; add it'
        )
    return steps


test_pipeline.__test__ = False  # type: ignore[attr-defined]  # for pytest


def hook_of(cfg: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The first of a config's custom hooks of a type, empty if it has none."""
    return next((hook for hook in cfg.get('custom_hooks') or () if hook.get('type') == kind), {})
