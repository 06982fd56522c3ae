"""A lexicon file, or the name of a shipped one -> arguments of `Lexicon`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Union

from ...errors import DataError

SHIPPED = ('remote_sensing', 'remote_sensing_zh')
_OPTIONAL = ('name', 'ignored', 'mass_nouns', 'spaces', 'prompt')
_LAYOUT = f'{{"categories": {{"tree": ["palm", ...], ...}}}}, optionally with {", ".join(_OPTIONAL)}'


def read_lexicon_file(path: Union[str, Path]) -> dict[str, Any]:
    """The content of a lexicon file, ``name`` filled in; values are checked by `Lexicon`.

    Args:
        path: a JSON file, or one of `SHIPPED`.

    Raises:
        DataError: the file is missing, is not JSON, or has another layout.
    """
    file = Path(__file__).with_name(f'{path}.json') if path in SHIPPED else Path(path)
    try:
        content = json.loads(file.read_text(encoding='utf-8-sig'), object_pairs_hook=_object_without_repeats)
    except FileNotFoundError:
        raise DataError(
            f'lexicon file {path} does not exist; correct the path, name a shipped one ({", ".join(SHIPPED)}), or '
            'leave it out for the shipped lexicon of English'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'lexicon file {path} cannot be read ({error}); it must be a UTF-8 text file') from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f'lexicon file {path} is not JSON ({error}); correct it at that place') from error
    except DataError as error:
        raise DataError(f'lexicon file {path}: {error}') from None
    if not isinstance(content, dict) or not isinstance(content.get('categories'), dict):
        raise DataError(f"lexicon file {path} lacks the key 'categories' with a mapping; the layout is {_LAYOUT}")
    unknown = sorted(set(content) - {'categories', *_OPTIONAL})
    if unknown:
        raise DataError(f'lexicon file {path} has the unknown key {unknown[0]!r}; the layout is {_LAYOUT}')
    for key in ('name', 'prompt'):
        if not isinstance(content.get(key, ''), str):
            raise DataError(f'lexicon file {path}: {key!r} must be a string, got {content[key]!r}; put it in quotes')
    return {'name': Path(path).stem, **content}


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a repeated key is an error, so that no value is lost silently."""
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if repeated:
        raise DataError(f'the key {repeated[0]!r} occurs twice in one object; merge the two')
    return dict(pairs)
