"""The learning curve of result files: numbers by hand, one line a variant."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.experiments.learning_curve import VARIANTS, read_curves
from osdpm_plugin.lab.experiments.schema import read_result
from osdpm_plugin.visualization import draw_learning_curve, pixels_of
from osdpm_plugin.visualization.learning_curve import HEIGHT, WIDTH
from tests.helpers.results import write
from tests.helpers.tools import run_tool_here

CURVES = {'alone': {10: [70.0, 66.0], 100: [132.0]}, 'labels': {10: [88.0, 86.0], 30: [108.0, 107.0, 109.0]}}


def results(folder):
    """Two seeds of two shares of two variants."""
    names = [f'toy_{percent}{end}' for percent in (10, 100) for end in ('', '_plain')]
    return [write(folder / f'{name}_{seed}', name=name, seed=seed) for name in names for seed in (0, 1)]


def test_curves_are_the_numbers_of_the_files(tmp_path):
    paths = results(tmp_path)
    data, curves = read_curves([*paths[::-1], paths[0]])  # a file that is named twice counts once
    assert data == 'toy, test' and list(curves) == [VARIANTS['plain'], VARIANTS['']]
    rsum = [read_result(path).metrics['expected']['Rsum'] for path in paths]
    assert sorted(curves[VARIANTS['']][10]) == sorted(rsum[:2])
    assert sorted(curves[VARIANTS['plain']][100]) == sorted(rsum[6:])
    assert list(curves[VARIANTS['plain']]) == [10, 100]


def test_other_results_are_refused(tmp_path):
    paths = results(tmp_path)
    other = write(tmp_path / 'other', name='osdpm_toy')
    with pytest.raises(
        DataError, match='is of the config osdpm_toy, which names no share of captions; give results of'
    ):
        read_curves([*paths, other])
    again = write(tmp_path / 'again', name='toy_10', seed=1)
    with pytest.raises(DataError, match='are of one config and seed; leave one out'):
        read_curves([*paths, again])


def test_lines_are_means_with_one_deviation():
    figure = draw_learning_curve(CURVES, title='a title')
    assert pixels_of(figure).shape == (HEIGHT, WIDTH, 3)
    (axes,) = figure.axes
    alone, labels = axes.containers
    assert alone.lines[0].get_ydata().tolist() == [68.0, 132.0] and labels.lines[0].get_ydata().tolist() == [87, 108]
    (bars,) = labels.lines[2]
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    spread = np.sqrt(2)  # of 88 and 86
    np.testing.assert_allclose(ends, [[87 - spread, 87 + spread], [107, 109]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['alone', 'labels']
    assert axes.get_xticks().tolist() == [10, 30, 100] and axes.get_title(loc='left') == 'a title'


def test_the_tool(tmp_path, capsys):
    out = tmp_path / 'curve.png'
    paths = results(tmp_path)
    assert run_tool_here('visualize/learning_curve.py', *paths, '--out', out) == 0
    rsum = [read_result(path).metrics['expected']['Rsum'] for path in paths]
    said = capsys.readouterr().out
    assert out.stat().st_size > 1000 and f'captions alone: 10 % {np.mean(rsum[2:4]):.1f} (2), 100 %' in said
