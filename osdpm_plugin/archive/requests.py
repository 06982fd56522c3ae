"""What an archive was asked to hold, so that an update needs no arguments."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from ..errors import DataError
from ..utils.files import write_json


@dataclass(frozen=True)
class Request:
    """Arguments of a build that say which scenes an archive holds.

    Attributes:
        scenes: files, folders, globs, lists, STAC files, addresses; see `find_sources`.
        attributes: table of dates and attributes.
        date_pattern: of file names.
        mask: pattern of the mask files of scenes.
        assume_crs: CRS of files that have coordinates but name none.
    """

    scenes: tuple[str, ...]
    attributes: Optional[str] = None
    date_pattern: Optional[str] = None
    mask: Optional[str] = None
    assume_crs: Optional[str] = None


def read_requests(path: Path) -> list[Request]:
    """Requests of an archive, oldest first.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return [Request(**{**item, 'scenes': tuple(item['scenes'])}) for item in json.loads(path.read_text('utf-8'))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f'{path} is damaged ({error}); remove it and name the scenes again') from error


def add_request(path: Path, request: Request) -> None:
    """Note a request behind the others; it replaces one of the same scenes."""
    known = read_requests(path)
    others = [item for item in known if item.scenes != request.scenes]
    if known != [*others, request]:
        write_json(path, [asdict(item) for item in (*others, request)], 'archive')
