"""Logs and folders -> curves and experiments: resumed runs, gaps, damage; and what charts show."""

from __future__ import annotations

import json
import math
import re

import pytest

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments.statistics import Difference
from osdpm_plugin.lab.report.chart import Series, forest_plot, line_chart
from osdpm_plugin.lab.report.scalars import MOST_POINTS, read_curves
from osdpm_plugin.lab.report.work_dirs import best_checkpoint, read_experiments
from tests.helpers.report_runs import rows_of, shapes_of, write_experiment, write_scalars


def test_curves_of_one_start(tmp_path):
    write_scalars(tmp_path, rows_of(3))
    curves = read_curves(tmp_path)
    assert curves.unit == 'epoch'
    assert curves.train['loss'] == ((1, 3.25), (2, 2.25), (3, 1.25))  # mean of 3.5 and 3.0, ...
    assert curves.train['lr'] == ((1, 0.05), (2, 0.025), (3, 0.1 / 6))  # the last of each epoch
    assert curves.val['retrieval/mR'] == ((1, 15), (2, 20), (3, 25))
    assert set(curves.train) == {'loss', 'lr'} and 'time' not in curves.val


def test_a_later_start_replaces_what_it_repeats(tmp_path):
    write_scalars(tmp_path, rows_of(3), start='20260101_000000', tail='{"loss": 1')  # killed in epoch 4
    write_scalars(tmp_path, rows_of(2, first=3, loss=9.0), start='20260102_000000')
    (tmp_path / '20260103_000000' / 'vis_data').mkdir(parents=True)  # an evaluation: no scalars
    curves = read_curves(tmp_path)
    assert curves.train['loss'] == ((1, 3.25), (2, 2.25), (3, 6.25), (4, 5.25))
    assert curves.val['retrieval/mR'] == ((1, 15), (2, 20), (3, 25), (4, 30))


def test_iterations_and_long_logs(tmp_path):
    rows = [dict(lr=1.0, loss=float(i), iter=i, step=i) for i in range(1, 2 * MOST_POINTS + 1)]
    write_scalars(tmp_path, [*rows, {'accuracy/top1': 50.0, 'step': 800}])
    curves = read_curves(tmp_path)
    assert curves.unit == 'iteration' and len(curves.train['loss']) == MOST_POINTS
    assert curves.train['loss'][0] == (1.5, 1.5) and curves.train['loss'][-1] == (799.5, 799.5)
    assert curves.val == {'accuracy/top1': ((800, 50),)}


def test_nothing_logged_and_damage(tmp_path):
    assert read_curves(tmp_path) is None
    path = write_scalars(tmp_path, rows_of(1))
    path.write_text('{"loss"\n' + path.read_text())
    with pytest.raises(DataError, match='line 1 is not JSON'):
        read_curves(tmp_path)
    path.write_text(json.dumps(dict(loss=math.nan, lr=1, iter=1, epoch=1, step=1)) + '\n')
    assert math.isnan(read_curves(tmp_path).train['loss'][0][1])
    path.write_text('[1]\n')
    with pytest.raises(DataError, match='line 1 is no JSON object'):
        read_curves(tmp_path)


def test_kinds_of_folders(tmp_path):
    one = write_experiment(tmp_path / 'all' / 'b_model', name='model')
    write_experiment(tmp_path / 'all' / 'a_plain', 1, name='plain', noise=7)
    (one / 'seed_10').mkdir()  # planned, not begun
    for folders, names in (
        ([tmp_path / 'all'], ['plain', 'model']),
        ([one, tmp_path / 'all' / 'a_plain'], ['model', 'plain']),
        ([one / 'seed_1'], ['model']),
    ):
        assert [found.name for found in read_experiments(folders)] == names
    (found,) = read_experiments([one])
    assert [run.seed for run in found.runs] == [0, 1] and [run.train_seconds for run in found.runs] == [60, 120]
    assert found.runs[0].config == one / 'seed_0' / 'model.py'
    (single,) = read_experiments([one / 'seed_1'])
    assert single.runs[0].label == 'seed 1' and [path for path, _ in single.results] == [
        one / 'seed_1' / 'test_results.json'
    ]


def test_same_names_are_told_apart_by_folder(tmp_path):
    folders = [write_experiment(tmp_path / part, 1) for part in ('x', 'y')]
    assert [one.name for one in read_experiments(folders)] == [f'model ({folder})' for folder in folders]


def test_bad_folders(tmp_path):
    with pytest.raises(ConfigError, match='no work dir'):
        read_experiments([])
    with pytest.raises(ConfigError, match='does not exist'):
        read_experiments([tmp_path / 'none'])
    with pytest.raises(DataError, match='holds no run'):
        read_experiments([tmp_path])
    one = write_experiment(tmp_path / 'one', 1)
    with pytest.raises(ConfigError, match='given twice'):
        read_experiments([one, tmp_path / 'one' / '..' / 'one'])
    (one / 'seed_0' / 'state.json').write_text('{')
    with pytest.raises(DataError, match=r'state\.json cannot be read'):
        read_experiments([one])
    (one / 'seed_0' / 'state.json').unlink()
    (one / 'seed_0' / 'test_results.json').write_text('{}')
    with pytest.raises(DataError, match='schema_version'):
        read_experiments([one])


def test_best_checkpoint(tmp_path):
    (one,) = read_experiments([write_experiment(tmp_path / 'one', 1)])
    run = one.runs[0]
    with pytest.raises(DataError, match='holds no checkpoint'):
        best_checkpoint(run)
    (run.folder / 'epoch_3.pth').touch()
    (run.folder / 'last_checkpoint').write_text('/moved/away/epoch_3.pth')
    assert best_checkpoint(run).name == 'epoch_3.pth'
    (run.folder / 'best_retrieval_mR_epoch_2.pth').touch()
    assert best_checkpoint(run).name == 'best_retrieval_mR_epoch_2.pth'
    (run.folder / 'best_retrieval_mR_epoch_1.pth').touch()  # the one in the result file
    assert best_checkpoint(run).name == 'best_retrieval_mR_epoch_1.pth'


def test_line_chart_by_hand():
    points = ((1, 10.0), (2, math.nan), (3, 5.0), (4, 0.0), (5, math.inf))
    series = [Series('a', 7, points, (4, 0.0)), Series('empty', 1, ((1, math.inf),))]
    chart = line_chart('c', 'Loss', 'epoch', series)
    (((style, line),), ((_, alone), (_, ring))) = shapes_of(chart.drawing)  # nothing of 'empty' can be drawn
    first, (x3, y3), (x4, y4) = line
    assert 'var(--c1)' in style and 'stroke-dasharray: 2,5' in style.replace(', ', ',')
    assert alone == [first] == [pytest.approx((3 * x3 - 2 * x4, 2 * y3 - y4), abs=0.4)] and ring == [(x4, y4)]
    assert x4 > x3 and y4 > y3  # to the right, and down
    assert re.findall('<text[^>]*>([^<]*)<', chart.drawing) == [*'1234', 'epoch', *'02468', '10']
    assert chart.description == 'a: 10 at epoch 1, 0 at epoch 4, between 0 and 10, not finite at 2 of 5 places.'
    assert '#0' not in chart.drawing and 'font' not in chart.drawing and 'url(' not in chart.drawing
    assert chart == line_chart('c', 'Loss', 'epoch', series)
    assert line_chart('c', 'Loss', 'epoch', [Series('a', 0, ((1, math.nan),))]) is None


def test_forest_by_hand():
    rows = [('minus <$a$>\x07', Difference(2.0, -1.0, 5.0, [])), ('minus b', Difference(4.0, 3.0, 5.0, []))]
    plot = forest_plot('f', 't', 'points', rows)
    lines, marks = ([places for _, places in shapes] for shapes in shapes_of(plot.drawing))
    (low, y), (high, _) = lines[0]
    assert marks[:2] == [[(low, y)], [(high, y)]] and marks[2] == [pytest.approx(((low + high) / 2, y), abs=0.2)]
    assert lines[1][0][0] == pytest.approx(low + (high - low) * 4 / 6, abs=0.2) and lines[1][0][1] > y
    texts = re.findall('<text[^>]*>([^<]*)<', plot.drawing)
    assert texts == ['0', '2', '4', 'points', 'minus &lt;$a$&gt;', 'minus b']
    assert plot.description.endswith('minus b: +4.00 [+3.00, +5.00].')
