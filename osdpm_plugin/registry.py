"""The one file that names registries.

They are mmengine's root registries, not children of them: a component registered here resolves by its bare name from
every scope (`mmpretrain`, `mmdet`, ...) that has none of that name, and components of those packages resolve here as
`mmpretrain.ResNet`. mmpretrain has a `ContrastiveHead` and a `LinearNeck` of its own: under
``default_scope='mmpretrain'`` these two bare names mean mmpretrain's, and ours are `mmengine.ContrastiveHead` and
`mmengine.LinearNeck`.
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
