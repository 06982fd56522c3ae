"""Anything -> a JSON file that is either complete or absent."""

from __future__ import annotations

import json
from typing import Any

from ..evaluation.files import write_text


def write_json(path: str, content: Any, key: str) -> None:
    """Write UTF-8 JSON.

    Args:
        path: the file; its folder is created.
        content: what JSON can hold.
        key: the option that named ``path``, for messages.

    Raises:
        ConfigError: the operating system refused.
    """
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + '\n', key)
