"""Which OpenMMLab stack is installed, read from package metadata, and its warnings at import.

Two distributions provide each of the modules ``mmengine``, ``mmcv`` and ``mmpretrain``: OpenMMLab's own, and the
maintained fork whose name starts with ``onedl-``. They write to the same folder: two for one module leave a mixture.
"""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Optional

__all__ = ['SUPPORTED', 'check_stack', 'installed_stack', 'quieten']

# module -> (supported range, distributions that provide it); the ranges are those that mmpretrain 1.2 / 1.3 accepts
SUPPORTED: dict[str, tuple[str, tuple[str, ...]]] = {
    'mmengine': ('>=0.10,<0.11', ('mmengine', 'mmengine-lite', 'onedl-mmengine')),
    'mmcv': ('>=2.0,<2.4', ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv')),
    'mmpretrain': ('>=1.2,<1.4', ('mmpretrain', 'onedl-mmpretrain')),
}
MISSED = 'Fail to import ``MultiScaleDeformableAttention``'


def installed_stack() -> dict[str, dict[str, str]]:
    """Installed distributions of each module: ``{'mmcv': {'mmcv-lite': '2.2.0'}, 'mmpretrain': {}, ...}``."""
    return {
        module: {name: version for name in names if (version := _version(name)) is not None}
        for module, (_, names) in SUPPORTED.items()
    }


def check_stack() -> None:
    """Check that exactly one distribution of each module is installed, in the supported range, with its files.

    Raises:
        ImportError: in one sentence, with the command that mends it.
    """
    from packaging.specifiers import SpecifierSet

    stack = installed_stack()
    extra = _extra(stack)
    install = f'pip install "osdpm_plugin[{extra}]"'
    for module, found in stack.items():
        if len(found) > 1:
            every = ' '.join(name for names in stack.values() for name in names)
            raise ImportError(
                f'{" and ".join(found)} are both installed and overwrite each other in the module '
                f'{module}; run: pip uninstall -y {every} && {install}'
            )
    for module, found in stack.items():
        supported = SUPPORTED[module][0]
        if not found:
            raise ImportError(f'{module}{supported} is not installed; run: {install}')
        [(name, version)] = found.items()
        if not SpecifierSet(supported).contains(version, prereleases=True):
            raise ImportError(
                f'{name} {version} is installed but osdpm_plugin works with {module}{supported}; run: {install}'
            )
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ImportError(
                f'{name} {version} is listed as installed but the files of its module {module} are gone; '
                f'run: pip install --force-reinstall --no-deps {name}=={version}'
            )


def quieten(quiet: bool = True) -> None:
    """Leave out, or let through again, what the stack says on import of parts that it lacks and nothing here needs.

    That is mmcv's warning of `MultiScaleDeformableAttention`, which mmcv-lite has not, and what the forks print at
    level DEBUG before there is a log, such as ``Could not import OneDL``. Filters of the user come first.
    """
    from mmengine import logging as stack

    plain = getattr(stack.print_log, '__wrapped__', stack.print_log)
    stack.print_log = _with_levels(plain) if quiet else plain
    warnings.filterwarnings('ignore' if quiet else 'default', message=MISSED, append=quiet)


def _with_levels(print_log: Any) -> Any:
    """mmengine's ``print_log``, which prints a message of any level where no log is named, without those of DEBUG."""

    @functools.wraps(print_log)
    def print_what_counts(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
        if logger is not None or level > logging.DEBUG:
            print_log(msg, logger, level)

    return print_what_counts


def _version(distribution: str) -> Optional[str]:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _extra(stack: dict[str, dict[str, str]]) -> str:
    """The extra that completes what is there without laying one stack over the other."""
    names = [name for found in stack.values() for name in found]
    official = any(not name.startswith('onedl-') for name in names)
    forked = any(name.startswith('onedl-') for name in names)
    if sys.version_info < (3, 10):  # the forks need 3.10
        return 'openmmlab'
    return 'openmmlab' if official and not forked else 'onedl'
