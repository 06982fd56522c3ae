"""A range of scores -> a layer style of QGIS (QML): footprints in five colours, the best on top."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

COLOURS = ('68,1,84', '59,82,139', '33,145,140', '94,201,98', '253,231,37')  # viridis, which the colour-blind can read
_HEADER = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_HALF_RANGE = 0.005  # where all scores are equal


def style_by_score(lowest: float, highest: float) -> str:
    """QML of QGIS 3 for a layer of polygons with a column ``score``.

    Args:
        lowest: score.
        highest: score; each of the five classes takes a fifth of the range.
    """
    if lowest == highest:
        lowest, highest = lowest - _HALF_RANGE, highest + _HALF_RANGE
    edges = [float(edge) for edge in np.linspace(lowest, highest, len(COLOURS) + 1)]
    root = ElementTree.Element('qgis', version='3.22.0', styleCategories='Symbology')
    renderer = ElementTree.SubElement(
        root,
        'renderer-v2',
        type='graduatedSymbol',
        attr='score',
        graduatedMethod='GraduatedColor',
        symbollevels='0',
        enableorderby='1',
        forceraster='0',
    )
    ranges = ElementTree.SubElement(renderer, 'ranges')
    symbols = ElementTree.SubElement(renderer, 'symbols')
    for i, (lower, upper) in enumerate(zip(edges, edges[1:])):
        label = f'{lower:.3f} to {upper:.3f}'
        ElementTree.SubElement(
            ranges, 'range', lower=repr(lower), upper=repr(upper), symbol=str(i), label=label, render='true'
        )
        _fill(symbols, str(i), COLOURS[i])
    order = ElementTree.SubElement(renderer, 'orderby')
    ElementTree.SubElement(order, 'orderByClause', asc='1', nullsFirst='1').text = '"score"'
    ElementTree.SubElement(root, 'layerGeometryType').text = '2'  # polygons
    ElementTree.indent(root)
    return _HEADER + ElementTree.tostring(root, encoding='unicode')


def _fill(symbols: ElementTree.Element, name: str, colour: str) -> None:
    """A translucent area with an opaque rim."""
    symbol = ElementTree.SubElement(
        symbols, 'symbol', type='fill', name=name, alpha='1', clip_to_extent='1', force_rhr='0'
    )
    layer = ElementTree.SubElement(symbol, 'layer', {'class': 'SimpleFill', 'enabled': '1', 'pass': '0', 'locked': '0'})
    options = ElementTree.SubElement(layer, 'Option', type='Map')
    look = dict(
        color=f'{colour},90',
        style='solid',
        outline_color=f'{colour},255',
        outline_style='solid',
        outline_width='0.6',
        outline_width_unit='MM',
        joinstyle='miter',
    )
    for key, value in look.items():
        ElementTree.SubElement(options, 'Option', name=key, type='QString', value=value)
