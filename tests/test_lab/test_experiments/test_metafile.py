"""Result files of seeds -> configs/metafile.yml, whose numbers are those of the files."""

from __future__ import annotations

import json

import pytest
import yaml

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments.metafile import build_metafile
from tests.helpers.paths import CONFIGS, ROOT
from tests.helpers.results import by_hand, report_of, write

SHOWN = ('i2t R@1', 'i2t R@5', 'i2t R@10', 't2i R@1', 't2i R@5', 't2i R@10', 'Rsum', 'mR')


def keep(folder, experiment, seeds, **changes):
    """Result files as they lie in configs/results."""
    (folder / experiment).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        made = write(folder / 'made', seed=seed, name=experiment.split('/')[-1], **changes)
        made.rename(folder / experiment / f'seed_{seed}.json')
    (folder / 'made' / 'test_queries.npz').unlink()


def check_numbers(metafile, folder):
    """Each model's numbers are means and deviations of its files, computed here from their JSON."""
    experiments = {path.parent for path in folder.rglob('*.json')}
    assert len(metafile['Models']) == len(experiments)
    for model in metafile['Models']:
        (own,) = [where for where in experiments if where.name == model['Name'].split('/')[-1]]
        runs = sorted((json.loads(path.read_text()) for path in own.glob('*.json')), key=lambda run: run['seed'])
        (result,), about = model['Results'], model['Metadata']
        assert list(result['Metrics']) == list(result['Standard Deviation']) == list(SHOWN)
        for key in SHOWN:
            values = [run['metrics'][result['Ties']][key.replace(' ', '_')] for run in runs]
            mean, std = by_hand(values)
            assert result['Metrics'][key] == pytest.approx(mean, abs=0.0051)
            deviation = result['Standard Deviation'][key]  # of one seed there is none
            assert deviation is None if len(runs) == 1 else deviation == pytest.approx(std, abs=0.0051)
        assert {run['config']['name'] for run in runs} == {model['Name'].split('/')[-1]}
        assert {run['selection'] for run in runs} == {result['Checkpoint']}
        assert result['Dataset'] == f'{runs[0]["data"]["name"]}, split {runs[0]["data"]["split"]}'
        assert about['Seeds'] == [run['seed'] for run in runs]
        assert about['Checkpoint SHA256'] == [run['checkpoint']['sha256'] for run in runs]
        assert {about['Config SHA256']} == {run['config']['sha256'] for run in runs}
        assert {about['Data SHA256']} == {run['data']['sha256'] for run in runs}
        assert model['Config'] in about['Command'] and (ROOT / model['Config']).is_file()
        assert model['In Collection'] in [collection['Name'] for collection in metafile['Collections']]


def test_the_committed_metafile_agrees_with_the_committed_results():
    committed = yaml.safe_load((CONFIGS / 'metafile.yml').read_text())
    assert committed == build_metafile(CONFIGS / 'results')
    assert not list((CONFIGS / 'results').rglob('*.json')) or committed['Models']
    check_numbers(committed, CONFIGS / 'results')
    for collection in committed['Collections']:
        assert (ROOT / collection['README']).is_file()


def test_numbers_and_what_they_stand_on(tmp_path):
    keep(tmp_path, 'osdpm_scenes', (2, 0, 10))
    keep(tmp_path, 'comparison/galr_ucm', (0, 1))
    (tmp_path / 'comparison/galr_ucm/command.txt').write_text('make configs/comparison/galr_ucm.py\n')
    metafile = build_metafile(tmp_path)
    check_numbers(metafile, tmp_path)
    galr, scenes = metafile['Models']
    assert galr['Name'] == 'comparison/galr_ucm'
    assert galr['In Collection'] == 'Compared methods' and scenes['In Collection'] == 'OSDPM'
    assert galr['Config'] == 'configs/comparison/galr_ucm.py'
    assert galr['Metadata']['Command'] == 'make configs/comparison/galr_ucm.py'
    assert scenes['Metadata']['Command'] == 'python tools/run_seeds.py configs/osdpm_scenes.py --seeds 0 2 10'
    assert scenes['Metadata']['Epochs'] == 24 and scenes['Metadata']['Commit'] == ['f' * 40]
    assert 'Training' not in scenes['Metadata'] and '95 % Interval' not in scenes['Results'][0]
    assert scenes['Metadata']['Architecture'][-1] == 'OSFCMHead' and 'DAPN' in scenes['Metadata']['Architecture']


def test_what_is_kept_with_its_queries_has_an_interval(tmp_path):
    """Beside what its training took, and under a name that no other config has."""
    training = dict(passes=2.0, epochs=10, steps=20, minutes=0.5, stopped=True)
    keep(tmp_path, 'comparison/resnet50/galr_ucm', (0, 1), training=training)
    folder = tmp_path / 'comparison/resnet50/galr_ucm'
    for seed in (0, 1):
        file = folder / f'seed_{seed}.json'
        report_of(tmp_path / 'made', seed=seed)
        (tmp_path / 'made/test_queries.npz').rename(folder / f'seed_{seed}.npz')
        file.write_text(json.dumps({**json.loads(file.read_text()), 'queries_file': f'seed_{seed}.npz'}))
    (model,) = build_metafile(tmp_path)['Models']
    assert model['Name'] == 'comparison/resnet50/galr_ucm'  # comparison/galr_ucm has the same last part
    assert model['Metadata']['Training'] == dict(Passes=[2.0, 2.0], Steps=[20, 20], Minutes=[0.5, 0.5])
    low, high = model['Results'][0]['95 % Interval']['Rsum']
    assert low < model['Results'][0]['Metrics']['Rsum'] < high


def test_results_in_a_wrong_place(tmp_path):
    keep(tmp_path, 'osdpm_scenes', (0, 1))
    (tmp_path / 'osdpm_scenes').rename(tmp_path / 'osdpm_ucm')
    with pytest.raises(DataError, match='is a result of osdpm_scenes, not of osdpm_ucm'):
        build_metafile(tmp_path)
    (tmp_path / 'osdpm_ucm').rename(tmp_path / 'mine')
    with pytest.raises(ConfigError, match='config mine is neither'):
        build_metafile(tmp_path)
    keep(tmp_path / 'other', 'osdpm_scenes', (0,))
    keep(tmp_path / 'other', 'osdpm_scenes', (1,), selection='last')
    with pytest.raises(DataError, match='differ in selection rule'):
        build_metafile(tmp_path / 'other')


def test_tool(tmp_path, command):
    keep(tmp_path / 'results', 'osdpm_scenes', (0, 1))
    target = tmp_path / 'metafile.yml'
    code, out, _ = command('make_tables', tmp_path / 'results', '--metafile', target)
    assert code == 0 and out == f'{target}: 1 models\n'
    assert yaml.safe_load(target.read_text()) == build_metafile(tmp_path / 'results')
    code, _, err = command('make_tables', tmp_path / 'results/osdpm_scenes/seed_0.json', '--metafile', target)
    assert code == 2 and err.startswith('error: --metafile')
