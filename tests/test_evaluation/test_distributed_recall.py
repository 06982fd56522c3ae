"""The metric on 1, 2 and 3 processes: equal numbers, errors everywhere, no one waits for ever."""

from __future__ import annotations

import os
import time

import pytest
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_rank, get_world_size

from osdpm_plugin.errors import ConfigError, MetricError
from osdpm_plugin.evaluation import ImageTextRecall
from tests.helpers.distributed import RemoteError, run_distributed
from tests.helpers.predictions import make_samples


def _evaluate(shares, folder, size=10, **options):
    """Evaluate with the share of this rank, in batches of two; errors are returned as (type, message)."""
    samples = make_samples()
    metric = ImageTextRecall(collect_dir=None if options.get('collect_device') == 'gpu' else folder, **options)
    mine = list(shares[get_rank()])
    for start in range(0, len(mine), 2):
        metric.process(None, [samples[n] for n in mine[start : start + 2]])
    try:
        return metric.evaluate(size)
    except (MetricError, ConfigError) as error:
        return type(error).__name__, str(error)


def scenarios(folder):
    """All that is to be seen on one number of processes, in one start of them."""
    world = get_world_size()
    collect = os.path.join(folder, f'collect{world}')
    empty = [()] * (world - 1)
    padded = [list(DefaultSampler(range(10), shuffle=False, round_up=True))] * world
    interleaved = [range(9 - rank, -1, -world) for rank in range(world)]
    uneven = [*empty, range(10)]
    repeated = [range(10), *([(5, 5, 0)] * (world - 1))]
    broken = os.path.join(folder, 'file', 'recall.json')
    return {
        'padded': _evaluate(padded, collect),
        'interleaved': _evaluate(interleaved, collect),
        'uneven': _evaluate(uneven, collect),
        'repeated': _evaluate(repeated, collect),
        'by gather': _evaluate(repeated, collect, collect_device='gpu'),
        'out_file': _evaluate(padded, collect, out_file=os.path.join(folder, f'recall{world}.json')),
        'missing': _evaluate([share[:-1] for share in interleaved], collect),
        'nothing': _evaluate([()] * world, collect),
        'no file': _evaluate(padded, collect, out_file=broken),
        'again': _evaluate(padded, collect),
    }


@pytest.mark.parametrize('world', [1, 2, 3])
def test_same_numbers_and_same_errors(world, tmp_path):
    (tmp_path / 'file').write_text('not a folder')
    metric = ImageTextRecall()
    metric.process(None, make_samples())
    reference = metric.evaluate(10)
    by_rank = run_distributed(scenarios, world, str(tmp_path))
    assert len(by_rank) == world
    for found in by_rank:
        for name in ('padded', 'interleaved', 'uneven', 'repeated', 'by gather', 'out_file', 'again'):
            assert found[name] == reference, name  # the same bits
        assert found['missing'][0] == 'MetricError'
        assert f'{10 - world} of 10 image ids arrived' in found['missing'][1]
        assert found['nothing'][0] == 'MetricError'
        assert found['no file'][0] == 'ConfigError'
        assert 'cannot be written' in found['no file'][1]
        assert found == by_rank[0]
    assert sorted(os.listdir(tmp_path)) == ['file', f'recall{world}.json']


def _one_fails_and_one_hangs():
    if get_rank() == 1:
        raise MetricError('rank 1 has had enough')
    time.sleep(600)


def test_helper_raises_what_a_rank_raised():
    start = time.monotonic()
    with pytest.raises(MetricError, match='had enough') as caught:
        run_distributed(_one_fails_and_one_hangs, 2)
    assert time.monotonic() - start < 60
    assert isinstance(caught.value.__cause__, RemoteError)
    assert '_one_fails_and_one_hangs' in str(caught.value.__cause__)


def test_helper_ends_what_takes_too_long():
    with pytest.raises(TimeoutError, match=r'ranks \[0\] of 1 still ran after 1 s'):
        run_distributed(time.sleep, 1, 600, timeout=1)
