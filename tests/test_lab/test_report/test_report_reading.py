"""Logs and folders -> curves and experiments: resumed runs, gaps, damage; and how charts are laid out."""

from __future__ import annotations

import json
import math

import pytest

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.report.chart import HEIGHT, Series, forest_plot, line_chart, ticks_between
from osdpm_plugin.lab.report.scalars import MOST_POINTS, read_curves
from osdpm_plugin.lab.report.work_dirs import best_checkpoint, read_experiments
from tests.helpers.report_runs import rows_of, write_experiment, write_scalars


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
    assert single.runs[0].label == 'seed 1' and single.result_files == [one / 'seed_1' / 'test_results.json']


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


@pytest.mark.parametrize(
    ('low', 'high', 'ticks'),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (-1.0, 7.0, [-2, 0, 2, 4, 6, 8]),
        (3e-8, 5e-4, [0, 1e-4, 2e-4, 3e-4, 4e-4, 5e-4]),
        (2.0, 2.0, [1, 1.5, 2, 2.5, 3]),
        (0.0, 0.0, [-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6]),
    ],
)
def test_ticks(low, high, ticks):
    assert ticks_between(low, high, most=5) == pytest.approx(ticks)


def test_line_chart_by_hand():
    points = ((1, 10.0), (2, math.nan), (3, 5.0), (4, 0.0))
    chart = line_chart('c', 'Loss', 'epoch', [Series('a', 7, points, (4, 0.0)), Series('empty', 1, ((1, math.inf),))])
    assert [tick.label for tick in chart.y_ticks] == ['0', '2', '4', '6', '8', '10']
    assert [tick.label for tick in chart.x_ticks] == ['1', '2', '3', '4']
    left, right, top, bottom = chart.left, chart.right, 12, chart.bottom
    third = left + (right - left) * 2 / 3
    (line,) = chart.lines  # nothing of 'empty' can be drawn
    assert (
        line.path == f'M{left:g} {top}L{left:g} {top}M{round(third, 1):g} {(top + bottom) / 2:g}L{right:g} {bottom:g}'
    )
    assert line.mark == (right, bottom) and line.classes == 'c1 d2'
    assert chart.description == ('a: 10 at epoch 1, 0 at epoch 4, between 0 and 10, not finite at 1 of 4 places.')
    assert line_chart('c', 'Loss', 'epoch', [Series('a', 0, ((1, math.nan),))]) is None


def test_forest_by_hand():
    plot = forest_plot('f', 't', 'points', [('less a', 2.0, -1.0, 5.0), ('less b', 4.0, 3.0, 5.0)])
    assert [tick.label for tick in plot.ticks] == ['\u22121', '0', '1', '2', '3', '4', '5']
    (one, two), width = plot.rows, plot.ticks[-1].at - plot.ticks[0].at
    assert (one.low, one.high) == (plot.ticks[0].at, plot.ticks[-1].at)
    assert one.mean == pytest.approx((one.low + one.high) / 2, abs=0.1)
    assert plot.zero == pytest.approx(one.low + width / 6, abs=0.1) and two.low > plot.zero
    assert plot.description == 'less a: +2.00 [-1.00, +5.00]. less b: +4.00 [+3.00, +5.00].'
    assert plot.bottom < plot.height and two.y - one.y == 44 and HEIGHT == 236


def test_unreadable_rows_are_json_objects(tmp_path):
    path = write_scalars(tmp_path, [], tail=json.dumps(dict(loss=math.nan, lr=1, iter=1, epoch=1, step=1)) + '\n')
    assert math.isnan(read_curves(tmp_path).train['loss'][0][1]) and path.is_file()
