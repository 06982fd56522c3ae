"""The audit of data sets -> tables; the audit itself and its wording are those of `osdpm_plugin.lab.data.auditing`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..data.auditing import audit, read_sets, to_markdown
from .blocks import Block, Heading, Items, Missing, Section, Table, Text, command
from .work_dirs import Experiment


def audit_section(
    experiments: Sequence[Experiment], *, files: Sequence[Path], sets: Sequence[str], with_images: bool
) -> Section:
    """Audits of the work dirs (``audit*.json``), of files, and of sets that are audited now.

    Args:
        experiments: of the page.
        files: JSON of ``tools/audit_dataset.py --json``.
        sets: ``TYPE:ROOT``, a folder or annotation file, see `read_sets`.
        with_images: read the images of ``sets`` too, which takes minutes.

    Raises:
        DataError: a file is no audit, or a set is missing or unusable.
        ConfigError: a type of set is unknown.
    """
    folders = dict.fromkeys(folder for one in experiments for folder in (one.folder, *(r.folder for r in one.runs)))
    found = [*files, *(path for folder in folders for path in sorted(folder.glob('audit*.json')))]
    blocks = [block for path in found for block in audit_blocks(_read(path), str(path))]
    if sets:
        report = audit(read_sets(sets), with_images=with_images, progress=False).report
        blocks += audit_blocks(report, ', '.join(sets))
    if not blocks:
        text = 'The work dirs hold no audit*.json, so repeated captions and images of the data are not known.'
        make = command('tools/audit_dataset.py', 'TYPE:ROOT', '--json', experiments[0].folder / 'audit.json')
        blocks = [Missing(text, make)]
    return Section('audit', 'Data audit', tuple(blocks))


def audit_blocks(report: Any, name: str) -> list[Block]:
    """``Audit.report``, or what ``--json`` wrote, as blocks; ``name`` says where it comes from.

    Raises:
        DataError: it is no audit.
    """
    try:
        text = to_markdown(report)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f'{name} is no audit of data sets; write it by tools/audit_dataset.py --json') from error
    return [Text(f'Of {name}.'), *_blocks(text)]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'audit {path} cannot be read: {error}; write it by tools/audit_dataset.py --json') from error


def _blocks(markdown: str) -> Iterator[Block]:
    """Headings, tables, lists and paragraphs of `to_markdown`, which are parted by blank lines."""
    title = ''
    for part in markdown.split('\n\n'):
        lines = part.splitlines()
        if part.startswith('## '):
            title = part[3:]
            yield Heading(title)
        elif part.startswith('| '):
            yield _table(title, lines)
        else:
            said = [line for line in lines if not line.startswith('- ')]
            if said:
                yield Text(' '.join(said))
            items = tuple(line[2:] for line in lines if line.startswith('- '))
            if items:
                yield Items(items)


def _table(title: str, lines: Sequence[str]) -> Table:
    head, rule, *rows = ([cell.strip() for cell in re.split(r' \| ', line.strip().strip('|'))] for line in lines)
    texts = next((i for i, cell in enumerate(rule[0].split('|')) if cell.endswith(':')), len(head))
    return Table(title, tuple(head), tuple(tuple(row) for row in rows), texts)
