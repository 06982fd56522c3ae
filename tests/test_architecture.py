"""The order of the rooms: imports go down only, those inside functions too, and nothing outside lab imports lab."""

from __future__ import annotations

import ast
from pathlib import Path

import osdpm_plugin

PACKAGE = Path(osdpm_plugin.__file__).parent
# From the ground up. A file is in the longest of these that its own name begins with.
ORDER = [
    *('version', 'errors', 'compat', 'registry', 'structures', 'utils', 'pretrained'),
    *('datasets.annotations', 'datasets.images', 'datasets.text', 'datasets.lexicon', 'datasets.scenes'),
    *('datasets.transforms', 'datasets.sets', 'datasets'),
    *('models.pooling', 'models.rows', 'models.preprocessors', 'models.backbones', 'models.necks', 'models.losses'),
    *('models.similarities', 'models.heads', 'models.retrievers', 'models.comparison', 'models'),
    *('evaluation', 'visualization', 'features', 'engine', 'launch', 'search', 'archive'),
    *('lab.data', 'lab.experiments', 'lab.report', 'lab.benchmarks', 'lab'),
]


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imported_by(file: Path) -> set[str]:
    """Modules of the package, or names in them, that a file imports, with their line."""
    module = module_of(file) if PACKAGE in file.parents else ''
    package = module if file.name == '__init__.py' else module.rpartition('.')[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            parent = '.'.join(package.split('.')[: len(package.split('.')) - node.level + 1]) if node.level else ''
            base = '.'.join(filter(None, [parent, node.module]))
            found |= {f'{base}.{alias.name}' for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split('.')[0] == PACKAGE.name}


def room_of(name: str) -> str:
    """The room of ``osdpm_plugin.room...``; '' for the package itself."""
    inner = name.split('.')[1:]
    rooms = ['.'.join(inner[:depth]) for depth in (2, 1) if '.'.join(inner[:depth]) in ORDER]
    return rooms[0] if rooms else ''


FILES = sorted(file for file in PACKAGE.rglob('*.py') if file != PACKAGE / '__init__.py')


def test_every_file_has_a_room():
    assert [module_of(file) for file in FILES if not room_of(module_of(file))] == []
    assert [room for room in ORDER if not any(room_of(module_of(file)) == room for file in FILES)] == []


def test_imports_go_down():
    climbs = []
    for file in FILES:
        own = room_of(module_of(file))
        for name in sorted(imported_by(file)):
            listed = file.name == '__init__.py' and name.startswith(f'{module_of(file)}.')  # its own rooms
            if not listed and (not room_of(name) or ORDER.index(room_of(name)) > ORDER.index(own)):
                climbs.append(f'{module_of(file)} imports {name}')
    assert climbs == []


def test_nothing_outside_imports_the_lab():
    outside = [file for file in FILES if not room_of(module_of(file)).startswith('lab')]
    assert [file for file in outside if any(room_of(name).startswith('lab') for name in imported_by(file))] == []


def test_the_map_names_every_room_in_order():
    rooms = list(dict.fromkeys(room.split('.')[0] for room in ORDER))
    lines = [line.split()[0] for line in osdpm_plugin.__doc__.splitlines() if line.startswith('    ')]
    assert [line for line in lines if line in rooms] == rooms


def test_files_are_short():
    lengths = {module_of(file): len(file.read_text().splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 110
