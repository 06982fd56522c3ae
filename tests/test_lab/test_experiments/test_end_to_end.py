"""tools/run_seeds.py on a shipped config made small: train, choose on val, evaluate, average, resume."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from osdpm_plugin.lab.experiments.processes import environment
from osdpm_plugin.lab.experiments.provenance import file_sha256
from osdpm_plugin.lab.experiments.schema import read_result
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import shrink


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, f'tools/{name}.py', *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def write_config(folder: Path) -> Path:
    cfg = shrink('configs/osdpm_scenes.py', folder)
    cfg.pop('work_dir')
    cfg.train_cfg.max_epochs = 2
    path = folder / 'tiny.py'
    path.write_text(cfg.pretty_text)
    return path


@pytest.mark.slow
def test_two_seeds(tmp_path):
    config, work = write_config(tmp_path), tmp_path / 'work'
    command = ['run_seeds', config, '--seeds', 0, 1, '--work-dir', work]
    done = tool(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [read_result(work / f'tiny/seed_{seed}/test_results.json') for seed in (0, 1)]
    for seed, result in enumerate(results):
        assert result.seed == seed and result.selection == 'best retrieval/mR on val' and result.data.images == 6
        (best,) = (work / f'tiny/seed_{seed}').glob('best_*.pth')
        assert result.checkpoint.file == best.name and result.checkpoint.sha256 == file_sha256(str(best))
    assert results[0].config == results[1].config and results[0].data == results[1].data
    assert results[0].checkpoint.sha256 != results[1].checkpoint.sha256
    summary = json.loads((work / 'tiny/summary.json').read_text())
    numbers = [result.metrics['expected']['mR'] for result in results]
    assert summary['metrics']['expected']['mR']['values'] == numbers
    assert 'mean ± std' in done.stdout and '[tiny seed 1] finished before' not in done.stdout

    kept = ('.pth', '.npz', '.log', 'test_results.json', 'state.json')
    files = [path for path in work.rglob('*') if path.is_file() and path.name.endswith(kept)]
    stamps = {path: path.stat().st_mtime_ns for path in files}
    done = tool(*command)
    assert done.returncode == 0 and done.stdout.count('finished before') == 2
    assert {path: path.stat().st_mtime_ns for path in files} == stamps

    state = work / 'tiny/seed_1/state.json'  # as if it had been killed in training, after the first epoch
    state.write_text(state.read_text().replace('"trained"', '"training"'))
    (work / 'tiny/seed_1/test_results.json').unlink()
    done = tool(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Load checkpoint from' in (work / 'tiny/seed_1/train.log').read_text()
    again = read_result(work / 'tiny/seed_1/test_results.json')
    assert again.metrics == results[1].metrics and stamps[files[0]] == files[0].stat().st_mtime_ns


@pytest.mark.slow
def test_select_on_test(tmp_path):
    config = write_config(tmp_path)
    same = ['--cfg-options', 'val_dataloader.dataset.split=test', 'train_cfg.max_epochs=1']
    done = tool('train', config, '--work-dir', tmp_path / 'w', *same)
    assert done.returncode == 2 and 'select_on_test = True' in done.stderr
    assert done.stderr.splitlines()[-1].startswith('error: ')
    done = tool('run_seeds', config, '--seeds', 0, '--work-dir', tmp_path / 'w2', *same, 'select_on_test=True')
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_result(tmp_path / 'w2/tiny/seed_0/test_results.json').selection == 'best retrieval/mR on TEST'
    assert 'chosen on the TEST split' in (tmp_path / 'w2/tiny/seed_0/train.log').read_text()
