"""Work folder -> the checkpoint to resume from: a file of this folder, wherever the folder was when it was written."""

from __future__ import annotations

import logging
import re
import zipfile
from pathlib import Path
from typing import Optional, Union

from mmengine.logging import print_log

from ..errors import CheckpointError
from ..utils.files import noted_name

NUMBERED = re.compile(r'(?!best_).*?\d+\.pth')


def numbered_checkpoints(folder: Path) -> list[Path]:
    """Files such as ``epoch_3.pth`` or ``iter_500.pth``, by their number."""
    found = [path for path in folder.glob('*.pth') if NUMBERED.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(re.sub(r'.*?(\d+)$', r'\1', path.stem)))


def latest_checkpoint(work_dir: Union[str, Path], out_dir: Union[str, Path, None] = None) -> Optional[str]:
    """The file that ``last_checkpoint`` names, else the newest whole one of the folder.

    Only the name counts of what ``last_checkpoint`` says: the folder may have been moved or copied since.

    Args:
        work_dir: folder of the run.
        out_dir: of the checkpoint hook, which saves in a folder of the run's name in there; None: in ``work_dir``.

    Returns:
        Path of the checkpoint, or None where no run has left any.

    Raises:
        CheckpointError: a run has left checkpoints, and none of them is whole.
    """
    work_dir = Path(work_dir)
    folder = work_dir if out_dir is None or Path(out_dir) == work_dir else Path(out_dir) / work_dir.name
    pointer = work_dir / 'last_checkpoint'
    noted = noted_name(pointer.read_text(encoding='utf-8', errors='replace')) if pointer.is_file() else ''
    named = folder / noted if noted else None
    if named is not None and (named.is_dir() or zipfile.is_zipfile(named)):  # a folder is of sharded weights
        return str(named)
    found = numbered_checkpoints(folder)
    whole = [path for path in found if zipfile.is_zipfile(path)]
    if whole:
        newest = str(whole[-1])
        why = (
            'there is no last_checkpoint' if named is None else f'{noted}, which last_checkpoint names, is gone or cut'
        )
        print_log(f'{folder}: {why}; resuming from {newest}', logger='current', level=logging.WARNING)
        return newest
    found += sorted(folder.glob('best_*.pth'))  # from which no training can be resumed
    if named is None and not found:
        return None
    raise CheckpointError(
        f'{folder} holds no whole checkpoint to resume from'
        + (f', though last_checkpoint names {named.name}' if named is not None else '')
        + (f'; it holds {", ".join(path.name for path in found)}' if found else '')
        + '; bring the file back, name one with --resume FILE, or start anew in another --work-dir'
    )
