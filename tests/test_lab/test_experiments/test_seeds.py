"""What is run, resumed and left alone; the trainings are stand-ins that take no time."""

from __future__ import annotations

import json
import os

import pytest
import torch

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments.processes import RunError
from osdpm_plugin.lab.experiments.seeds import chosen_checkpoint, finished, plan, run_jobs
from osdpm_plugin.lab.experiments.summary import compare, summarise_seeds
from tests.helpers.results import content, report_of

CONFIG = """
randomness = dict(seed=0)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook', save_best='retrieval/mR'))
width = 1
"""
HEAD = """
import json, os, shutil, sys
arguments = sys.argv[1:]
with open(os.environ['CALLS'], 'a') as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *arguments]) + '\\n')
work = arguments[arguments.index('--work-dir') + 1]
seed = int(arguments[-1].removeprefix('randomness.seed='))
"""
TRAIN = (
    HEAD
    + """
open(work + '/last_checkpoint', 'w').write(work + '/epoch_1.pth')
if os.environ.get('STOP') == str(seed) and '--resume' not in arguments:
    sys.exit('killed')
open(work + '/best_retrieval_mR_epoch_1.pth', 'w').write('weights')
"""
)
TEST = (
    HEAD
    + """
template = os.environ['TEMPLATE']
result = json.load(open(template + '/result.json'))
result['seed'] = seed
json.dump(result, open(work + '/test_results.json', 'w'))
shutil.copy(template + '/test_queries.npz', work)
"""
)


@pytest.fixture
def stand(tmp_path, monkeypatch):
    """Config, tools and a way to run; ``stand.calls()`` are the tools' calls so far."""

    class Stand:
        config = tmp_path / 'model.py'
        tools = tmp_path / 'tools'
        work = tmp_path / 'work'

        def plan(self, seeds=(0, 1), options=(), configs=None):
            return plan([str(c) for c in configs or [self.config]], list(seeds), str(self.work), list(options))

        def run(self, **arguments):
            (jobs,) = self.plan(**arguments)
            template = tmp_path / 'template'
            report = report_of(template)
            (template / 'result.json').write_text(json.dumps(content(report, name='model', sha256=jobs[0].sha256)))
            run_jobs(jobs, self.tools)
            return jobs

        def calls(self):
            path = tmp_path / 'calls'
            return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    Stand.config.write_text(CONFIG)
    Stand.tools.mkdir()
    (Stand.tools / 'train.py').write_text(TRAIN)
    (Stand.tools / 'test.py').write_text(TEST)
    monkeypatch.setenv('CALLS', str(tmp_path / 'calls'))
    monkeypatch.setenv('TEMPLATE', str(tmp_path / 'template'))
    return Stand()


def test_each_seed_once(stand):
    jobs = stand.run(options=['width=2'])
    work = stand.work / 'model'
    expected = []
    for seed in (0, 1):
        folder = str(work / f'seed_{seed}')
        common = ['--work-dir', folder, '--cfg-options', 'width=2', f'randomness.seed={seed}']
        expected.append(['train.py', str(stand.config), *common])
        expected.append(['test.py', str(stand.config), f'{folder}/best_retrieval_mR_epoch_1.pth', *common])
    assert stand.calls() == expected
    assert summarise_seeds([job.result_file for job in jobs])['seeds'] == [0, 1]
    stamps = {path: path.stat().st_mtime_ns for path in work.rglob('*') if path.is_file()}
    stand.run(options=['width=2'])
    assert stand.calls() == expected
    assert {path: path.stat().st_mtime_ns for path in work.rglob('*') if path.is_file()} == stamps
    stand.run(seeds=(0, 1, 2), options=['width=2'])
    assert len(stand.calls()) == 6 and stand.calls()[-1][-1] == 'randomness.seed=2'


def test_interrupted_in_training(stand, monkeypatch):
    monkeypatch.setenv('STOP', '1')
    with pytest.raises(RunError, match='train of model seed 1 ended with exit code 1: "killed"'):
        stand.run(seeds=(0, 1, 2))
    assert json.loads((stand.work / 'model/seed_1/state.json').read_text())['stage'] == 'training'
    assert not (stand.work / 'model/seed_2').exists()
    jobs = stand.run(seeds=(0, 1, 2))
    assert [call[0] for call in stand.calls()] == ['train.py', 'test.py', 'train.py', *['train.py', 'test.py'] * 2]
    assert '--resume' in stand.calls()[3] and '--resume' not in stand.calls()[5]
    assert all(finished(job) for job in jobs)


def test_interrupted_in_evaluation(stand):
    (stand.tools / 'test.py').write_text('raise SystemExit("killed")')
    with pytest.raises(RunError, match='test of model seed 0'):
        stand.run()
    (stand.tools / 'test.py').write_text(TEST)
    stand.run()
    assert [call[0] for call in stand.calls()] == ['train.py', 'test.py', 'train.py', 'test.py']


@pytest.mark.parametrize('harm', ['cut', 'other seed', 'no queries'])
def test_results_that_do_not_count(stand, harm):
    (job,) = stand.run(seeds=(3,))
    if harm == 'cut':
        job.result_file.write_text(job.result_file.read_text()[:-20])
    elif harm == 'other seed':
        job.result_file.write_text(job.result_file.read_text().replace('"seed": 3', '"seed": 4'))
    else:
        os.remove(job.folder / 'test_queries.npz')
    assert finished(job) is None
    stand.run(seeds=(3,))
    assert [call[0] for call in stand.calls()] == ['train.py', 'test.py', 'test.py']  # the training counts
    assert finished(job) is not None


def test_a_tool_that_writes_no_result(stand):
    (stand.tools / 'test.py').write_text('')
    with pytest.raises(DataError, match='seed 0 ended without a valid .*test_results.json'):
        stand.run(seeds=(0,))


def test_folders_of_another_experiment_are_left_alone(stand):
    stand.run()
    before = {path: path.read_bytes() for path in stand.work.rglob('*') if path.is_file()}
    with pytest.raises(ConfigError, match='holds a run of another config .*name another --work-dir'):
        stand.run(options=['width=2'])
    assert {path: path.read_bytes() for path in stand.work.rglob('*') if path.is_file()} == before
    strange = stand.work / 'model' / 'seed_7'
    strange.mkdir()
    (strange / 'last_checkpoint').write_text('x')
    with pytest.raises(ConfigError, match='holds a run of another config'):
        stand.plan(seeds=(7,))


def test_two_best_checkpoints(stand):
    """An interruption between writing the new best one and removing the old: the score decides, not the name."""
    ((job,),) = stand.plan(seeds=(0,))
    job.folder.mkdir(parents=True)
    for epoch, score in ((9, 20.0), (10, 30.0), (11, 25.0)):
        hub = dict(runtime_info=dict(best_score=score))
        torch.save(dict(state_dict={}, message_hub=hub), job.folder / f'best_retrieval_mR_epoch_{epoch}.pth')
    assert chosen_checkpoint(job).name == 'best_retrieval_mR_epoch_10.pth'


def test_without_a_best_checkpoint(stand):
    ((job,),) = stand.plan(seeds=(0,))
    with pytest.raises(DataError, match='left no best_'):
        chosen_checkpoint(job)
    job = job._replace(keeps_best=False)
    with pytest.raises(DataError, match='left no checkpoint'):
        chosen_checkpoint(job)
    job.folder.mkdir(parents=True)
    (job.folder / 'last_checkpoint').write_text('w/epoch_3.pth\n')
    torch.save({}, job.folder / 'epoch_3.pth')
    assert chosen_checkpoint(job) == job.folder / 'epoch_3.pth', 'by its name in the folder of the run'


def test_bad_arguments(stand, tmp_path):
    for seeds in ((), (0, 0), (-1,)):
        with pytest.raises(ConfigError, match='--seeds'):
            stand.plan(seeds=seeds)
    with pytest.raises(ConfigError, match='cannot set randomness.seed'):
        stand.plan(options=['randomness.seed=3'])
    with pytest.raises(ConfigError, match='both configs are named model'):
        stand.plan(configs=[stand.config, stand.config])
    with pytest.raises(ConfigError, match='does not exist'):
        stand.plan(configs=[tmp_path / 'none.py'])


def test_two_configs(stand, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text(CONFIG.replace('width = 1', 'width = 5'))
    one, two = stand.plan(configs=[stand.config, other])
    assert one[0].sha256 != two[0].sha256
    for jobs in (one, two):
        for job in jobs:
            report = report_of(job.folder)
            text = json.dumps(content(report, name=job.name.split()[0], sha256=job.sha256, seed=job.seed))
            job.result_file.write_text(text)
    found = compare(*([job.result_file for job in jobs] for jobs in (one, two)), resamples=20)
    assert found['difference']['Rsum'] == dict(mean=0, low=0, high=0, values=[0, 0])
