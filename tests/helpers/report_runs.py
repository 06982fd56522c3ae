"""Work dirs as training and evaluation leave them, and a page as a reader meets it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import html5lib

from tests.helpers.results import write

LOG = """2026/01/01 - mmengine - INFO -
------------------------------------------------------------
System environment:
    Python: 3.11.0
    PyTorch compiling details: long
  - a flag

Runtime environment:
    seed: 0
------------------------------------------------------------
"""


def write_scalars(run: Path, rows: list[dict], *, start: str = '20260101_000000', tail: str = '') -> Path:
    """``scalars.json`` of one start of a run; ``tail`` is added as it stands."""
    path = run / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows) + tail)
    return path


def rows_of(epochs: int, *, first: int = 1, loss: float = 4.0, recall: float = 10.0) -> list[dict]:
    """Two log entries and one validation an epoch; the loss falls by 1 an epoch, recall rises by 5."""
    rows: list[dict[str, Any]] = []
    for epoch in range(first, first + epochs):
        for half in (1, 2):
            step = 2 * (epoch - 1) + half
            value = loss - epoch + 0.5 * (half == 1)
            rows.append(dict(lr=0.1 / step, loss=value, time=1.0, epoch=epoch, iter=step, step=step))
        rows.append({'retrieval/mR': recall + 5 * epoch, 'retrieval/i2t_R@1': recall, 'time': 1.0, 'step': epoch})
    return rows


def write_experiment(folder: Path, seeds: int = 2, *, noise: int = 0, **changes: Any) -> Path:
    """A folder of seeds with logs, configs and results."""
    for seed in range(seeds):
        run = folder / f'seed_{seed}'
        write(run, seed=seed, noise=noise + seed, **changes)
        write_scalars(run, rows_of(3, loss=5.0 + seed))
        (run / f'{changes.get("name", "model")}.py').write_text(f'a = 1\nlr = {noise}\n')
        (run / 'state.json').write_text(json.dumps(dict(seed=seed, stage='trained', train_seconds=60.0 * (seed + 1))))
    return folder


def parse(text: str) -> Any:
    """The tree of a page, names without namespaces; any error of its HTML is raised."""
    tree = html5lib.HTMLParser(strict=True).parse(text)
    for element in tree.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition('}')[2]
    return tree


def tables_of(text: str) -> dict[str, list[list[str]]]:
    """Caption -> rows of texts, the heading first."""
    found = {}
    for table in parse(text).iter('table'):
        rows = [[''.join(cell.itertext()).strip() for cell in row] for row in table.iter('tr')]
        found[''.join(table.find('caption').itertext()).strip()] = rows
    return found


def shapes_of(chart: Any) -> tuple[list[Any], list[Any]]:
    """Lines and marks in the colours of series, of an SVG element or the text of its content: (style, places) each."""
    shapes: tuple[list[Any], list[Any]] = [], []
    for element in (ElementTree.fromstring(f'<svg>{chart}</svg>') if isinstance(chart, str) else chart).iter():
        style, path = element.get('style') or '', element.get('d')
        if 'var(--c' in style and element.get('id') is None:
            numbers = [float(part) for part in re.findall(r'[\d.]+', path or f'{element.get("x")} {element.get("y")}')]
            shapes[path is None].append((style, list(zip(numbers[::2], numbers[1::2]))))
    return shapes


class Addresses(HTMLParser):
    """Attributes that make a browser ask for something, and the styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """See `HTMLParser`."""
        self.tags.append(tag)
        names = ('src', 'href', 'srcset', 'poster', 'action', 'data', 'xlink:href', 'background')
        self.asked += [value for name, value in attrs if name in names]
