"""tools/reproduce_table.py on shipped configs made small: train, choose on val, evaluate, one table, resume."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from osdpm_plugin.lab.experiments import comparison, seeds
from osdpm_plugin.lab.experiments.schema import read_result
from osdpm_plugin.registry import MODELS
from tests.helpers.paths import ROOT
from tests.helpers.short_runs import run_here
from tests.helpers.shrunk_configs import shrink


def write_configs(root: Path, configs: list[str], *, pretrained: bool = False) -> Path:
    """Shrunk copies of shipped configs in their places, on one generated set; all of the image towers of one kind with
    the same weights where ``pretrained``.
    """
    for config in configs:
        torch.manual_seed(0)
        cfg = shrink(config, root)
        for part in ('work_dir', 'visualizer'):
            cfg.pop(part)
        if pretrained:
            tower = cfg.model.image_tower
            weights = root / f'{tower.depth}.pth'
            torch.save(MODELS.build(tower).state_dict(), weights)
            tower.init_cfg = dict(type='Pretrained', checkpoint=str(weights))
        path = root / config
        path.parent.mkdir(parents=True, exist_ok=True)
        cfg.dump(str(path))
    return root / 'configs'


@pytest.fixture
def tool(tmp_path, monkeypatch, command):
    """Run the tool in this process, and the tools that it starts too; the answer is (exit code, out, err, started)."""
    monkeypatch.chdir(ROOT)

    def start(*arguments):
        started = []

        def run_commands(jobs, *, gpus=1):
            for _, commands in jobs:
                for script, *rest in (job.arguments for job in commands):
                    started.append((Path(script).stem, Path(rest[0]).stem))
                    outcome = run_here(Path(script).stem, *rest)
                    assert outcome.code == 0, outcome.err

        monkeypatch.setattr(seeds, 'run_commands', run_commands)
        monkeypatch.setattr(comparison, 'run_commands', run_commands)
        return *command('reproduce_table', *arguments, '--work-dir', tmp_path / 'w'), started

    return start


@pytest.mark.stack
def test_two_methods_two_seeds(tool, tmp_path):
    """One that is indexable and one that scores pairs, on towers that are trained."""
    configs = write_configs(tmp_path, [f'configs/comparison/{method}_rsitmd.py' for method in ('vsepp', 'scan_t2i')])
    arguments = ['rsitmd', '--methods', 'vsepp', 'scan_t2i', '--seeds', 0, 1, '--configs', configs]
    code, out, err, started = tool(*arguments, '--epochs', 2)
    assert code == 0, err
    one_seed = [(name, config) for config in ('vsepp_rsitmd', 'scan_t2i_rsitmd') for name in ('train', 'test')]
    assert started == 2 * one_seed
    folder = tmp_path / 'w' / 'rsitmd_published'
    results = [read_result(folder / f'vsepp_rsitmd/seed_{seed}/test_results.json') for seed in (0, 1)]
    assert all(result.selection == 'best retrieval/mR on val' for result in results)
    assert all(result.checkpoint.epoch in (1, 2) for result in results)
    rows = list(csv.DictReader((folder / 'table.csv').open()))
    assert [row['method'] for row in rows] == ['VSE++', 'SCAN t2i'] and rows[0]['seeds'] == '0 1'
    mean = sum(result.metrics['expected']['Rsum'] for result in results) / 2
    assert float(rows[0]['Rsum mean']) == pytest.approx(mean, abs=1e-4)
    assert rows[0]['Rsum published'] == '148.96' and rows[1]['t2i R@10 published'] == '43.53'
    table = (folder / 'table.md').read_text()
    assert out.endswith(table) and '| VSE++ | published | 10.38 |' in table and 'Passes at most: 0.4.' in table
    assert '\\begin{tabular}{ll' in (folder / 'table.tex').read_text()

    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*.pth')}
    code, again, err, started = tool(*arguments, '--epochs', 2, '--format', 'csv')
    assert code == 0 and started == [] and again.endswith((folder / 'table.csv').read_text())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*.pth')} == before
    (folder / 'scan_t2i_rsitmd/seed_1/test_results.json').unlink()
    code, out, err, started = tool(*arguments, '--epochs', 2, '--finished')
    assert code == 0 and started == []
    assert [line.split('|')[-2].strip() for line in out.splitlines() if '| measured |' in line] == ['2', '1']
    code, out, err, started = tool(*arguments, '--epochs', 2)
    assert code == 0 and started == [('test', 'scan_t2i_rsitmd')] and (folder / 'table.md').read_text() == table
    page = tmp_path / 'page.md'
    page.write_text('<!-- table:t -->\n<!-- /table:t -->\n')
    code, out, err, started = tool(*arguments, '--epochs', 2, '--finished', '--into', page, '--marker', 't')
    assert code == 0 and page.read_text() == f'<!-- table:t -->\n{table}<!-- /table:t -->\n'
    code, out, err, started = tool(*arguments, '--finished', '--into', page)
    assert code == 2 and '--into and --marker belong together' in err


@pytest.mark.stack
def test_one_tower_for_all(tool, tmp_path):
    """Features are cached once, then trained on by every method, a teacher and its student among them."""
    names = ['vsepp_ucm', 'lw_mcr_d_ucm', 'amfmn_soft_ucm']
    configs = write_configs(tmp_path, [f'configs/comparison/resnet50/{name}.py' for name in names], pretrained=True)
    arguments = ['ucm', '--tower', 'resnet50', '--methods', 'vsepp', 'lw_mcr_d', '--seeds', 0]
    arguments += ['--configs', configs, '--cache', tmp_path / 'cache']
    code, out, err, started = tool(*arguments)
    assert code == 0, err
    order = ['amfmn_soft_ucm', 'vsepp_ucm', 'lw_mcr_d_ucm']
    assert started == [('cache_features', names[0]), *((tool, name) for name in order for tool in ('train', 'test'))]
    assert json.loads((tmp_path / 'cache/ucm_images/manifest.json').read_text())['towers'] == ['image_tower']
    assert [line.split('|')[1].strip() for line in out.splitlines() if line.endswith('| 1 |')] == ['VSE++', 'LW-MCR(d)']
    assert 'frozen ImageNet ResNet-50' in out and 'not augmented.' in out and 'published |' not in out
    code, out, err, started = tool(*arguments)
    assert code == 0 and started == []


@pytest.mark.stack
def test_a_frozen_text_tower_is_cached_with_the_images(tool, tmp_path):
    """And the result says what the training took."""
    configs = write_configs(tmp_path, ['configs/comparison/resnet50/vsepp_minilm_ucm.py'], pretrained=True)
    arguments = ['ucm', '--tower', 'resnet50', '--methods', 'vsepp_minilm', '--seeds', 0, '--configs', configs]
    code, out, err, started = tool(*arguments, '--cache', tmp_path / 'cache')
    assert code == 0, err
    manifest = json.loads((tmp_path / 'cache/ucm_images_minilm/manifest.json').read_text())
    assert manifest['towers'] == ['image_tower', 'text_tower'] and manifest['test_views'] == 1
    result = read_result(tmp_path / 'w/ucm_resnet50/vsepp_minilm_ucm/seed_0/test_results.json')
    training = result.training
    assert (training.epochs, training.steps, training.passes, training.stopped) == (1, 2, 0.2, False)
    row = next(line for line in out.splitlines() if line.startswith('| VSE++ with MiniLM |'))
    assert row.endswith(f'| 0.2 | 2 | {training.minutes:.1f} | 1 |') and 'lead of OSDPM' not in out


def test_user_errors(tool, tmp_path):
    for arguments, words in (
        (['rsitmd', '--tower', 'resnet50'], '--tower resnet50 has configs for rsicd and ucm, not for rsitmd'),
        (['ucm', '--configs', tmp_path], 'vsepp has no config'),
        (['ucm', '--epochs', 0], '--epochs must be a whole number of at least 1, got 0'),
        (['ucm', '--seeds', 1, 1], '--seeds 1 1 must be distinct'),
    ):
        code, _, err, started = tool(*arguments, '--methods', 'vsepp')
        assert code == 2 and err.splitlines()[-1].startswith('error: ') and words in err and started == []
