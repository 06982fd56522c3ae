"""A value of a config -> the value, or one sentence that says what it must be. One wording for all components.

``owner`` is the component, and ``key`` its argument, as they stand in a config; ``hint`` is an example or a remedy.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Optional, TypeVar

from ..errors import ConfigError

_Value = TypeVar('_Value')


def check_int(owner: str, key: str, value: Any, *, least: int = 1, most: Optional[int] = None, hint: str = '') -> int:
    """A whole number from ``least`` to ``most``; booleans are none.

    Raises:
        ConfigError: it is something else.

    Example:
        >>> check_int('DAPN', 'heads', 8)
        8
        >>> check_int('DAPN', 'heads', 0)
        Traceback (most recent call last):
            ...
        osdpm_plugin.errors.ConfigError: DAPN: heads must be a whole number of at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        limits = f'of at least {least}' if most is None else f'from {least} to {most}'
        raise _error(owner, key, f'a whole number {limits}', value, hint)
    return value


def check_number(
    owner: str,
    key: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    hint: str = '',
) -> float:
    """A finite number within the limits that are given; booleans are none.

    Args:
        owner: the component.
        key: its argument.
        value: what was given.
        above: the number must be greater.
        least: the number may be equal.
        below: the number must be smaller.
        most: the number may be equal.
        hint: an example or a remedy.

    Raises:
        ConfigError: it is something else.

    Example:
        >>> check_number('ContrastiveLoss', 'temperature', 0.07, above=0)
        0.07
        >>> check_number('GlobalNeck', 'dropout', 1.0, least=0, below=1)
        Traceback (most recent call last):
            ...
        osdpm_plugin.errors.ConfigError: GlobalNeck: dropout must be a number of at least 0 and below 1, got 1.0
    """
    good = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    if not (good and above < value < below and least <= value <= most):
        limits = [
            f'{words} {limit:g}'
            for words, limit in (('above', above), ('of at least', least), ('below', below), ('of at most', most))
            if math.isfinite(limit)
        ]
        raise _error(owner, key, f'a number {" and ".join(limits)}' if limits else 'a finite number', value, hint)
    return value


def check_one_of(owner: str, key: str, value: _Value, choices: Collection[Any], *, hint: str = '') -> _Value:
    """One of some values.

    Raises:
        ConfigError: it is another one.

    Example:
        >>> check_one_of('HFTextTower', 'pooling', 'max', ('mean', 'cls'))
        Traceback (most recent call last):
            ...
        osdpm_plugin.errors.ConfigError: HFTextTower: pooling must be one of 'mean', 'cls', got 'max'
    """
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in choices):
        raise _error(owner, key, f'one of {", ".join(map(repr, choices))}', value, hint)
    return value


def check_bool(owner: str, key: str, value: Any, *, hint: str = '') -> bool:
    """True or False.

    Raises:
        ConfigError: it is something else.
    """
    return check_one_of(owner, key, value, (True, False), hint=hint)


def _error(owner: str, key: str, want: str, value: Any, hint: str) -> ConfigError:
    name = f'{owner}: {key}' if owner else key
    return ConfigError(f'{name} must be {want}, got {value!r}' + (f'; {hint}' if hint else ''))
