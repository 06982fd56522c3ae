"""Hostile files: whatever way a checkpoint takes into the package, the code that it carries does not run."""

from __future__ import annotations

import ast
import builtins
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

import osdpm_plugin
from osdpm_plugin.datasets.images.region_files import read_regions
from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.experiments.queries import read_queries
from tests.helpers.paths import ROOT
from tests.helpers.short_runs import change_config, load_tool, run_here, write_config


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = str(proof)

    def __reduce__(self):
        return builtins.exec, (f'open({self.proof!r}, "w")',)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('hostile'))


@pytest.fixture
def evil(tmp_path):
    """A checkpoint with all parts of a Runner's, and one more; and the file that appears once it has run."""
    path, proof = tmp_path / 'evil.pth', tmp_path / 'proof'
    hub = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])), runtime_info={}, resumed_keys={})
    torch.save(dict(meta=dict(epoch=1, iter=2), message_hub=hub, state_dict={}, optimizer={}, x=Payload(proof)), path)
    torch.load(path, weights_only=False)
    assert proof.is_file(), 'the file must be a malicious one'
    proof.unlink()
    return path, proof


def assert_refused(outcome, evil):
    path, proof = evil
    assert outcome.code == 2 and 'Traceback' not in outcome.err, outcome.err
    assert 'run code' in outcome.err.splitlines()[-1] and str(path) in outcome.err.splitlines()[-1]
    assert not proof.exists()


@pytest.mark.stack
@pytest.mark.parametrize('way', ['resume', 'newest', 'load_from', 'test', 'init_cfg', 'tower'])
def test_no_way_in_runs_it(config, evil, tmp_path, way):
    path, _ = evil
    run = tmp_path / 'run'
    run.mkdir()
    mine = tmp_path / 'config.py'
    cfg = Config.fromfile(config)
    object.__setattr__(cfg, '_format_python_code', False)
    cfg.dump(mine)
    arguments, options = ['train', mine, '--work-dir', run], {}
    if way == 'resume':
        arguments += ['--resume', path]
    elif way == 'newest':
        (tmp_path / 'last_checkpoint').write_text(str(path))
        arguments = ['train', mine, '--work-dir', tmp_path, '--resume']
    elif way == 'load_from':
        options = dict(load_from=str(path))
    elif way == 'test':
        arguments = ['test', mine, path, '--work-dir', run]
    elif way == 'init_cfg':  # mmengine's own way of pretrained weights, of any module
        change_config(
            str(mine),
            lambda cfg: cfg.model.update(init_cfg=dict(type='Pretrained', checkpoint=str(path))),
        )
    else:
        options = dict(model__image_tower__pretrained=str(path))
    assert_refused(run_here(*arguments, **options), evil)


def test_search_does_not_run_it(config, evil, tmp_path, monkeypatch, capsys):
    path, proof = evil
    images = str(Path(config).parent / 'data' / 'RSICD_images')
    monkeypatch.setattr(
        sys, 'argv',
        ['retrieve.py', 'planes', '--images', images, '--config', config, '--checkpoint', str(path), '--no-cache'],
    )  # fmt: skip
    with pytest.raises(ValueError, match=r'exec.*could run code'):
        load_tool('retrieve').main()
    assert not proof.exists()


@pytest.mark.parametrize('read', [read_regions, read_queries])
def test_arrays_of_objects_are_refused(tmp_path, read):
    """NumPy's files may hold pickles too."""
    path, proof = tmp_path / 'evil.npz', tmp_path / 'proof'
    array = np.empty(1, object)
    array[0] = Payload(proof)
    np.savez(path, boxes=array, ties=array)
    with np.load(path, allow_pickle=True) as file:
        file['boxes']
    assert proof.is_file()
    proof.unlink()
    with pytest.raises(DataError, match=r'evil\.npz'):
        read(path)
    assert not proof.exists()


def calls_of(tree):
    """Dotted name and keywords of each call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}, node.lineno


def faults_of(text):
    """Calls that can run code which a file holds."""
    faults = []
    for name, keywords, line in calls_of(ast.parse(text)):
        if name.endswith('torch.load') and keywords.get('weights_only') != 'True':
            faults.append((line, name))
        if name.split('.')[-1] == 'load' and keywords.get('allow_pickle', 'False') != 'False':
            faults.append((line, name))
        if name in ('pickle.load', 'pickle.loads', 'joblib.load', 'mmengine.load', 'fileio.load', 'yaml.load', 'eval'):
            faults.append((line, name))
        if name.endswith(('load_state_dict_from_url', 'Unpickler')):
            faults.append((line, name))
    return faults


def test_no_call_of_the_package_can():
    files = [*Path(osdpm_plugin.__file__).parent.rglob('*.py'), *(ROOT / 'tools').rglob('*.py')]
    found = {str(path): faults_of(path.read_text()) for path in files}
    assert len(found) > 150 and not {path: faults for path, faults in found.items() if faults}


def test_the_search_for_such_calls_finds_them():
    bad = 'torch.load(f)\ntorch.load(f, weights_only=x)\nnp.load(f, allow_pickle=True)\npickle.loads(b)\neval(s)'
    assert [line for line, _ in faults_of(bad)] == [1, 2, 3, 4, 5]
    assert not faults_of('torch.load(f, weights_only=True)\nnp.load(f)\nmodel.eval()')
