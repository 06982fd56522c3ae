"""Result files: what is written is read, what is not valid is refused with the name of the field."""

from __future__ import annotations

import copy
import json

import pytest

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.experiments.schema import parse_result, read_result, write_result
from tests.helpers.results import content, report_of, write


@pytest.fixture(scope='module')
def valid(tmp_path_factory):
    report = report_of(tmp_path_factory.mktemp('report'), rerank=dict(method='dual_softmax'))
    return json.loads(json.dumps(content(report)))


def test_write_and_read(tmp_path, valid):
    result = parse_result(valid)
    write_result(tmp_path / 'a' / 'r.json', result)
    assert read_result(tmp_path / 'a' / 'r.json') == result
    assert json.loads((tmp_path / 'a' / 'r.json').read_text()) == valid
    numbers = result.primary
    assert numbers['Rsum'] == valid['metrics']['expected']['Rsum']
    assert numbers['content_Rsum'] == valid['content_metrics']['expected']['content_Rsum']
    assert 'transductive_dual_softmax_mR' in numbers
    for absent in ('git', 'seed', 'content_metrics', 'transductive_metrics'):
        parse_result({**valid, absent: None})


def test_what_training_took_may_be_missing(tmp_path, valid):
    training = dict(passes=12.0, epochs=60, steps=960, minutes=8.5, stopped=True)
    assert parse_result(valid).training is None
    write_result(tmp_path / 'r.json', parse_result({**valid, 'training': training}))
    assert vars(read_result(tmp_path / 'r.json').training) == training
    with pytest.raises(DataError, match='training.steps is missing'):
        parse_result({**valid, 'training': {key: value for key, value in training.items() if key != 'steps'}})


def changed(valid, path, value):
    result = copy.deepcopy(valid)
    place = result
    *parents, last = path.split('/')
    for key in parents:
        place = place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return result


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        ('schema_version', 2, 'schema_version 2, this version reads 1'),
        ('seed', KeyError, 'seed is missing'),
        ('note', 1, 'note is not part of the schema'),
        ('config/sha256', 'abc', 'config.sha256 must be 64'),
        ('data/sha256', 'D' * 64, 'data.sha256 must be 64'),
        ('checkpoint/of', 'luck', 'checkpoint.of'),
        ('checkpoint/epoch', '1', 'checkpoint.epoch must be of type int'),
        ('seed', True, 'seed must be of type int'),
        ('seed', -1, 'seed must not be negative'),
        ('tie_policy', 'lucky', 'tie_policy must be one of'),
        ('topk', [], 'topk must be positive'),
        ('topk', [1, 5], 'as Rsum, and their mean as mR'),
        ('topk', [1, 5, 20], "lacks ['i2t_R@20']"),
        ('topk', [1.0, 5, 10], 'topk.0 must be of type int'),
        ('metrics/expected', KeyError, 'metrics must have the rules'),
        ('metrics/expected/i2t_R@1', 101.0, '0 to 100 percent'),
        ('metrics/expected/i2t_R@1', float('nan'), 'metrics.expected.i2t_R@1 must be a finite number'),
        ('metrics/expected/Rsum', 1.0, 'sum of its recalls'),
        ('content_metrics/pessimistic/content_mR', 1.0, 'content_metrics.pessimistic must have the sum'),
        ('metrics', [], 'metrics must be an object'),
        ('git', 'main', 'git must be an object'),
        ('selection', '', 'selection must not be empty'),
        ('hardware/gpu', 'none', 'hardware.gpu must be a list'),
        ('wall_time_s', '3', 'wall_time_s must be a finite number'),
    ],
)
def test_refused(valid, path, value, message):
    with pytest.raises(DataError) as caught:
        parse_result(changed(valid, path, value), 'r.json')
    assert message in str(caught.value) and 'r.json' in str(caught.value)


def test_files_that_are_no_result_files(tmp_path):
    with pytest.raises(DataError, match='cannot be read'):
        read_result(tmp_path / 'none.json')
    for text in ('', '{', 'null', '[]', '{}', '\x00'):
        (tmp_path / 'r.json').write_text(text)
        with pytest.raises(DataError):
            read_result(tmp_path / 'r.json')
    (tmp_path / 'r.json').write_bytes(b'\xff\xfe')
    with pytest.raises(DataError, match='not JSON'):
        read_result(tmp_path / 'r.json')


def test_an_invalid_result_is_not_written(tmp_path):
    path = write(tmp_path)
    result = read_result(path)
    result.metrics['expected']['Rsum'] = 0.0
    with pytest.raises(DataError):
        write_result(tmp_path / 'other.json', result)
    assert not (tmp_path / 'other.json').exists()
