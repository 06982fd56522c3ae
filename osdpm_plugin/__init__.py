"""Remote-sensing image-text retrieval for OpenMMLab: object-aware, scale-adaptive, wired by config files.

Name this package in a config and every component is registered::

    custom_imports = dict(imports=['osdpm_plugin'], allow_failed_imports=False)

Read the packages in the order in which data flows: `datasets`, `models`, `evaluation`, `engine`,
`features`, `search`.
"""

from .compat import check_stack

check_stack()

from . import datasets, engine, evaluation, features, models  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'features', 'models']
