"""tools/report.py: command line -> page, with and without an evaluation, or one sentence and exit code 2."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mmengine.runner import Runner

from tests.helpers.report_runs import Addresses, parse, write_experiment
from tests.helpers.shrunk_configs import shrink
from tests.helpers.tools import run_tool_here

pytestmark = pytest.mark.stack


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    """A run that averaged weights and read cached features, which have gone since; with its best checkpoint."""
    folder = tmp_path_factory.mktemp('report_tool')
    cfg = shrink('configs/osdpm_scenes.py', folder)
    run = write_experiment(folder / 'seeds', 1) / 'seed_0'
    runner = Runner.from_cfg(cfg)
    runner.save_checkpoint(str(run), 'best_retrieval_mR_epoch_1.pth', save_optimizer=False, save_param_scheduler=False)
    for name in ('val_dataloader', 'test_dataloader', 'train_dataloader'):
        cached = dict(type='CachedFeatureDataset', cache='gone', dataset=cfg[name].dataset)
        cfg[name].dataset = cached
    cfg.feature_cache = 'gone'
    average = dict(type='EMAHook', ema_type='ExponentialMovingAverage')
    cfg.custom_hooks = [*cfg.custom_hooks, average, dict(type='FeatureCacheHook')]
    cfg.dump(run / 'model.py')
    return folder / 'seeds'


def files_of(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob('*')}


def test_page_with_evaluation(work_dir, tmp_path, capsys):
    before = files_of(work_dir)
    out = tmp_path / 'new' / 'page.html'
    options = ('--evaluate', '--queries', 1, '--hardest', 2, '--heatmaps', 1, '--title', 'A <b>title</b>')
    assert run_tool_here('report.py', work_dir, *options, '--out', out) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f'Report: {out}'
    assert files_of(work_dir) == before  # nothing is written into a work dir
    text = out.read_text()
    tree = parse(text)
    assert all(address.startswith(('#', 'data:')) for address in Addresses(text).asked)
    assert tree.findtext('.//title') == 'A <b>title</b>'
    pictures = [image.get('alt') for image in tree.iter('img')]
    assert pictures[0].startswith('Gallery of model: 1 captions') and pictures[1].startswith(
        'Heat maps of model over 1'
    )
    assert all(pictures)
    words = ' '.join(''.join(tree.itertext()).split())
    for way, total in (('Text to image', 30), ('Image to text', 6)):
        assert f'{way}: 2 of {total} queries, those whose first right answer comes latest' in words
    ranks = [int(rank) for rank in re.findall(r'Right image at rank (\d+)', words)]
    assert len(ranks) == 2 and ranks == sorted(ranks, reverse=True) and max(ranks) <= 6
    assert len(re.findall(r'First right caption at rank \d+', words)) == 2


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['none'], 'work dir none does not exist'),
        (['.', '--out', 'page.pdf'], "--out='page.pdf' must name an .html file"),
        (['{runs}', '--config', 'a.py'], '--config, --checkpoint and --cfg-options belong to --evaluate'),
        (['{runs}', '--evaluate', '--heatmaps', '-1'], 'heatmaps must be a whole number of at least 0, got -1'),
        (['{runs}', '{more}', '--evaluate', '--checkpoint', 'a.pth'], 'belong to one experiment'),
        (['{more}', '--evaluate'], 'holds no checkpoint'),
        (['{runs}', '--audit-json', 'none.json'], 'audit none.json cannot be read'),
        (['{runs}', '{more}', '--resamples', '0'], 'resamples must be a whole number of at least 1, got 0'),
    ],
)
def test_bad_input_is_one_sentence(work_dir, tmp_path, capsys, arguments, words):
    more = write_experiment(tmp_path / 'more', 1, name='other', sha256='f' * 64)
    arguments = [part.format(runs=work_dir, more=more) for part in arguments]
    out = [] if '--out' in arguments else ['--out', tmp_path / 'page.html']
    assert run_tool_here('report.py', *arguments, *out) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ') and words in line
    assert not (tmp_path / 'page.html').exists()


def test_damaged_result_file(work_dir, tmp_path, capsys):
    folder = write_experiment(tmp_path / 'x', 1)
    content = json.loads((folder / 'seed_0' / 'test_results.json').read_text())
    content['metrics']['expected']['mR'] = 101.0
    (folder / 'seed_0' / 'test_results.json').write_text(json.dumps(content))
    assert run_tool_here('report.py', folder, '--out', tmp_path / 'page.html') == 2
    assert 'must have the sum of its recalls as Rsum' in capsys.readouterr().err
