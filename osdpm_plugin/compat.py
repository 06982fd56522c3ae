"""Which OpenMMLab stack is installed, read from package metadata: nothing of the stack is imported.

Two distributions provide each of the modules ``mmengine``, ``mmcv`` and ``mmpretrain``: OpenMMLab's own, and the
maintained fork whose name starts with ``onedl-``. They write to the same folder: two for one module leave a mixture.
"""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from typing import Optional

__all__ = ['SUPPORTED', 'check_stack', 'installed_stack']

# module -> (supported range, distributions that provide it); the ranges are those that mmpretrain 1.2 / 1.3 accepts
SUPPORTED: dict[str, tuple[str, tuple[str, ...]]] = {
    'mmengine': ('>=0.10,<0.11', ('mmengine', 'mmengine-lite', 'onedl-mmengine')),
    'mmcv': ('>=2.0,<2.4', ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv')),
    'mmpretrain': ('>=1.2,<1.4', ('mmpretrain', 'onedl-mmpretrain')),
}


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
