"""Result files that are either complete or absent."""

from __future__ import annotations

import os
from typing import BinaryIO, Callable

from ..errors import ConfigError


def write_atomically(path: str, write: Callable[[BinaryIO], object], key: str) -> None:
    """Write a file beside ``path`` and move it into place, so that a failure leaves an older file as it was.

    Args:
        path: the file; its folder is created.
        write: writes the content to an open binary file.
        key: the config key that named ``path``, for messages.

    Raises:
        ConfigError: the operating system refused.
    """
    path = os.path.abspath(path)
    partial = os.path.join(os.path.dirname(path), f'.{os.path.basename(path)}.{os.getpid()}.partial')
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(partial, 'wb') as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.remove(partial)
    except OSError as error:
        raise ConfigError(
            f'{key}={path!r} cannot be written: {error}; name a file in a folder that you may write to, '
            'on a disk with space'
        ) from error
