"""The dict of `audit` -> Markdown, readable in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .exclusion import Exclusion

CLUSTERS_SHOWN = 20
MEMBERS_SHOWN = 6
UNREADABLE_SHOWN = 10
REASONS_SHOWN = 10


def to_markdown(report: dict[str, Any], excluded: Sequence[Exclusion] = ()) -> str:
    """Tables of all findings; long lists are shortened."""
    parts = [_splits(report), _ceilings(report), _captions(report)]
    if report['images'] is not None:
        parts += [_images(report['images']), _clusters(report['images'])]
    if excluded:
        parts.append(_excluded(excluded))
    return '\n\n'.join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [list(head)] + [[f'{c:.2f}' if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    is_text = [any(isinstance(row[i], str) for row in rows) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return '| ' + ' | '.join(c.ljust(w) if t else c.rjust(w) for c, w, t in zip(row, widths, is_text)) + ' |'

    rule = '|' + '|'.join('-' * (w + 1) + ('-' if t else ':') for w, t in zip(widths, is_text)) + '|'
    return '\n'.join([line(cells[0]), rule, *map(line, cells[1:])])


def _each_split(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f'{one["label"]}/{s or "all"}', counts) for one in report['sets'] for s, counts in one['splits'].items()]


def _splits(report: dict[str, Any]) -> str:
    rows = []
    for name, split in _each_split(report):
        verbatim, normalised = split['verbatim'], split['normalised']
        row = [
            name,
            split['images'],
            split['captions'],
            split['blank_captions'],
            verbatim['unique'],
            normalised['unique'],
        ]
        row += [
            verbatim['unique_per_image'],
            verbatim['images_all_identical'],
            verbatim['shared'],
            normalised['shared'],
        ]
        rows.append(row)
    head = (
        *('split', 'images', 'captions', 'blank', 'unique', 'unique (n)', 'unique/image', 'images all one text'),
        *('shared', 'shared (n)'),
    )
    return (
        '## Captions of each split\n\nshared: occurrences whose text another image of the split has too; '
        '(n): case, punctuation and spacing aside\n\n' + _table(head, rows)
    )


def _ceilings(report: dict[str, Any]) -> str:
    rows = []
    for name, split in _each_split(report):
        values = split['ceiling']['verbatim']
        for label, kind in (('identical texts score 1', 'identical'), ('bound for any model', 'bound')):
            for ties, v in values[kind].items():
                recalls = [v[f'{way}_R@{k}'] for way in ('i2t', 't2i') for k in (1, 5, 10)]
                rows.append((name, label, ties, *recalls, v['mR']))
    head = ('split', 'model', 'ties', *(f'{way} R@{k}' for way in ('i2t', 't2i') for k in (1, 5, 10)), 'mR')
    return (
        '## Ceiling that repeated captions impose\n\nrecall in percent; the split is the gallery; texts as they stand; '
        'the bound under optimistic ties is 100\n\n' + _table(head, rows)
    )


def _captions(report: dict[str, Any]) -> str:
    rows = [
        [*(row[key] for key in ('captions_of', 'found_in', 'captions'))]
        + [row[kind][key] for kind in ('verbatim', 'normalised') for key in ('occurrences', 'percent')]
        for row in report['caption_overlap']
        if row['normalised']['occurrences'] or row['verbatim']['occurrences']
    ]
    head = ('captions of', 'found in', 'captions', 'verbatim', '%', 'normalised', '%')
    return '## Captions that occur in another split\n\n' + (_table(head, rows) if rows else 'none')


def _images(images: dict[str, Any]) -> str:
    rows = [
        (row['images_of'], row['found_in'], row['images'], row['exact'], row['near'], row['pairs'])
        for row in images['overlap']
        if row['near']
    ]
    head = ('images of', 'found in', 'images', 'exact copies', 'near-duplicates', 'pairs')
    text = (
        f'## Images that occur again\n\n{images["read"]} images read; near-duplicates differ in at most '
        f'{images["max_distance"]} of 64 bits of the perceptual hash, exact copies are among them\n\n'
        + (_table(head, rows) if rows else 'none')
    )
    if images['unreadable']:
        bad = images['unreadable']
        lines = [f'- {item["file"]}: {item["reason"]}' for item in bad[:UNREADABLE_SHOWN]]
        text += f'\n\n{len(bad)} images cannot be read and were not compared:\n' + '\n'.join(lines)
        text += _more(len(bad), UNREADABLE_SHOWN)
    return text


def _clusters(images: dict[str, Any]) -> str:
    clusters = images['clusters']
    lines = []
    for cluster in clusters[:CLUSTERS_SHOWN]:
        kind = 'exact' if len({member['pixels'] for member in cluster}) == 1 else 'near'
        shown = ', '.join(f'{member["split"]} {member["file"]}' for member in cluster[:MEMBERS_SHOWN])
        lines.append(f'- {kind}, {len(cluster)}: {shown}' + (', ...' if len(cluster) > MEMBERS_SHOWN else ''))
    body = '\n'.join(lines) or 'none'
    return f'## {len(clusters)} clusters of images\n\n{body}{_more(len(clusters), CLUSTERS_SHOWN)}'


def _excluded(excluded: Sequence[Exclusion]) -> str:
    parts = ['## Images to leave out']
    for one in excluded:
        lines = [f'- {name}: {why}' for name, why in list(one.reasons.items())[:REASONS_SHOWN]]
        head = f'{one.label}: {len(one.reasons)} of {one.of} images of {one.split}'
        parts.append('\n'.join([head, *lines]) + _more(len(one.reasons), REASONS_SHOWN))
    return '\n\n'.join(parts)


def _more(total: int, shown: int) -> str:
    return f'\n- and {total - shown} more' if total > shown else ''
