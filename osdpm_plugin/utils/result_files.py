"""Result files that are either complete or absent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Callable, Union

from ..errors import ConfigError
from .atomic_file import atomic_file


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
        with atomic_file(path, partial) as file:
            write(file)
    except OSError as error:
        raise ConfigError(
            f'{key}={path!r} cannot be written: {error}; name a file in a folder that you may write to, '
            'on a disk with space'
        ) from error


def write_text(path: Union[str, Path], text: str, key: str) -> None:
    """`write_atomically` of UTF-8 text."""
    write_atomically(str(path), lambda file: file.write(text.encode()), key)


def write_json(path: Union[str, Path], content: Any, key: str) -> None:
    """`write_atomically` of JSON in UTF-8.

    Raises:
        ConfigError: the operating system refused.
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + '\n', key)
