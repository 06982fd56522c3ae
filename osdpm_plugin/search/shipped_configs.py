"""Name of a shipped config, or path of any -> a Config."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from typing import Optional, Union

from mmengine.config import Config

from ..errors import ConfigError
from ..launch.configs import read_config_file

_PACKAGE = Path(__file__).resolve().parents[1]
# of the installed package, or by a link of the checkout; the second: of a checkout on a system without links
_FOLDERS = ((_PACKAGE / '.mim' / 'configs').resolve(), _PACKAGE.parent / 'configs')


def shipped_configs() -> dict[str, Path]:
    """Names of the shipped configs, ``osdpm_ucm`` or ``ablations/ucm_plain``, and their files."""
    folder = next((f for f in _FOLDERS if f.is_dir()), None)
    if folder is None:
        return {}
    files = (path for path in sorted(folder.rglob('*.py')) if '_base_' not in path.parts)
    return {path.relative_to(folder).with_suffix('').as_posix(): path for path in files}


def list_configs(pattern: Optional[str] = None) -> list[str]:
    """Names of shipped configs, sorted.

    Args:
        pattern: with wildcards, of the name or its last part; it may end before the name does: ``osdpm_*clip``.
    """
    return [
        name
        for name in sorted(shipped_configs())
        if pattern is None or any(fnmatch.fnmatch(part, f'{pattern}*') for part in (name, name.rsplit('/', 1)[-1]))
    ]


def find_config(name: Union[str, os.PathLike]) -> Path:
    """The file of a config.

    Args:
        name: path of a file, or a shipped config: its name, or the last part of that. Of several configs of that last
            part the one in the highest folder is meant; those below it are its variants.

    Raises:
        ConfigError: there is none, or several in folders of one height.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    shipped = shipped_configs()
    named = [n for n in shipped if n == str(name)] or [n for n in shipped if n.rsplit('/', 1)[-1] == str(name)]
    named = [n for n in named if n.count('/') == min(other.count('/') for other in named)]
    if len(named) > 1:
        raise ConfigError(f'several shipped configs are called {name}; name one of {", ".join(named)}')
    if not named:
        raise ConfigError(
            f'config {name} is neither a file nor a shipped config; check the path, or see '
            'RetrievalInferencer.list_models()'
        )
    return shipped[named[0]]


def read_config(config: Union[str, os.PathLike, Config]) -> Config:
    """A config from its file or its name; one that is read already is returned as it is.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    return config if isinstance(config, Config) else read_config_file(find_config(config))
