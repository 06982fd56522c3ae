"""The one file that names registries.

They are mmengine's root registries, not children of them: a component registered here resolves by its bare name from
every scope (`mmpretrain`, `mmdet`, ...), and components of those packages resolve here as `mmpretrain.ResNet`.
"""

from mmengine.registry import (
    DATASETS,
    HOOKS,
    INFERENCERS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    TASK_UTILS,
    TRANSFORMS,
)

__all__ = [
    'DATASETS',
    'HOOKS',
    'INFERENCERS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'OPTIM_WRAPPERS',
    'TASK_UTILS',
    'TRANSFORMS',
]
