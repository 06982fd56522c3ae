"""Annotation file -> its text or parsed JSON; else a sentence that names its encoding or kind."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from ...errors import DataError

_KINDS = (
    (b'PK\x03\x04', 'an Excel workbook or another zip archive', 'save the table as "CSV UTF-8", or unpack the archive'),
    (b'\xd0\xcf\x11\xe0', 'an Excel workbook', 'save the table as "CSV UTF-8"'),
    (
        b'PAR1',
        'a Parquet file',
        "write it as a table with pandas: read_parquet(..).to_csv('captions.csv', index=False)",
    ),
    (b'\x1f\x8b', 'compressed by gzip', 'unpack it with gunzip'),
)


def load_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        DataError: missing, unreadable, or not JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of more than 4300 digits
        raise DataError(f'annotation file {path} is not JSON ({error}); download it again') from error


def read_text(path: Path) -> str:
    """Read a file of UTF-8, with or without a byte order mark, or of UTF-16 with one; line ends stay as they are.

    Raises:
        DataError: missing, unreadable, in another encoding, or no text at all.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f'annotation file {path} does not exist') from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise DataError(f'annotation file {path} cannot be read ({error})') from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode('utf-16' if wide else 'utf-8-sig')
    except ValueError as error:
        raise DataError(f'annotation file {path} cannot be read: {_why(content, error)}') from error


def _why(content: bytes, error: ValueError) -> str:
    """What a file is that is not UTF-8, and the remedy."""
    for magic, kind, remedy in _KINDS:
        if content.startswith(magic):
            return f'it is {kind}; {remedy}'
    if content[257:262] == b'ustar':
        return 'it is a tar archive (WebDataset?), which is not read; unpack it and write one table of its captions'
    try:
        chinese = any('\u4e00' <= letter <= '\u9fff' for letter in content.decode('gb18030'))
    except ValueError:
        chinese = False
    if chinese:
        return 'it is GB18030 (GBK) and not UTF-8; convert it: iconv -f GB18030 -t UTF-8 OLD > NEW'
    return (
        f'{error}; it is not UTF-8, write it again as UTF-8 (spreadsheets call it "CSV UTF-8"; on a command line: '
        'iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW)'
    )
