"""Hashes change when, and only when, what they stand for does."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess

import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.experiments import provenance


def config(**changes):
    values = dict(
        model=dict(type='A', width=3, shape=(1, 2)),
        randomness=dict(seed=0, deterministic=False),
        work_dir='a',
        load_from=None,
        test_evaluator=dict(type='ImageTextRecall', queries_file='a.npz'),
    )
    values.update(changes)
    return Config(values)


def test_config_hash():
    reference = provenance.config_sha256(config())
    same = [
        config(work_dir='b', load_from='x.pth', resume=True, launcher='pytorch'),
        config(randomness=dict(deterministic=False, seed=7)),
        config(test_evaluator=dict(type='ImageTextRecall', out_file='b')),
        config(model=dict(shape=[1, 2], width=3, type='A')),
    ]
    assert {provenance.config_sha256(cfg) for cfg in same} == {reference}
    others = [
        config(model=dict(type='A', width=4, shape=(1, 2))),
        config(randomness=dict(deterministic=True)),
        config(test_evaluator=dict(type='ImageTextRecall', ties='optimistic')),
        config(new=1),
    ]
    assert len({reference, *map(provenance.config_sha256, others)}) == 5
    cfg = config(test_evaluator=[dict(type='ImageTextRecall', out_file='b')], hook=torch.nn.Linear)
    before = cfg.to_dict()
    assert provenance.config_sha256(cfg) == provenance.config_sha256(cfg) and cfg.to_dict() == before


class Items:
    data_prefix = dict(img_path='/data/images')

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def get_data_info(self, index):
        return self.items[index]


def items():
    return [
        dict(img_path=f'/data/images/{n % 2}/{n}.png', captions=[f'é {n}', f'caption {n}'][: 1 + n % 2], image_id=n)
        for n in range(6)
    ]


def test_data_hash():
    digest, images, captions = provenance.data_sha256(Items(items()))
    expected = sorted((i['img_path'][len('/data/images/') :], i['captions']) for i in items())
    assert digest == hashlib.sha256(json.dumps(expected).encode()).hexdigest()
    assert (images, captions) == (6, 9)
    shuffled = items()
    random.Random(0).shuffle(shuffled)
    assert provenance.data_sha256(Items(shuffled))[0] == digest
    moved = Items([dict(i, img_path=i['img_path'].replace('/data', '/other')) for i in items()])
    moved.data_prefix = dict(img_path='/other/images')
    assert provenance.data_sha256(moved)[0] == digest
    reworded = items()
    reworded[3]['captions'][1] += '.'
    assert provenance.data_sha256(Items(reworded))[0] != digest
    assert provenance.data_sha256(Items(items()[1:]))[0] != digest


def test_data_that_has_no_hash():
    with pytest.raises(DataError, match='no img_path and captions'):
        provenance.data_sha256(Items([dict(img_path='a.png', label=1)]))
    with pytest.raises(DataError, match='no img_path and captions'):
        provenance.data_sha256([1, 2])
    with pytest.raises(DataError, match='1 file names occur twice'):
        provenance.data_sha256(Items([items()[0], items()[0]]))


def test_weights_hash():
    state = dict(a=torch.arange(6.0).reshape(2, 3), b=torch.tensor(1), c=torch.zeros(2, dtype=torch.bfloat16))
    digest = provenance.weights_sha256(state)
    assert provenance.weights_sha256({k: state[k].clone() for k in 'cba'}) == digest
    assert provenance.weights_sha256({**state, 'a': state['a'].T.contiguous().T}) == digest
    for other in (
        {**state, 'a': state['a'].reshape(3, 2)},
        {**state, 'b': torch.tensor(2)},
        {**state, 'a': state['a'].double()},
        dict(a=state['a']),
    ):
        assert provenance.weights_sha256(other) != digest


def test_file_hash(tmp_path):
    data = bytes(range(256)) * 9000
    (tmp_path / 'f').write_bytes(data)
    assert provenance.file_sha256(str(tmp_path / 'f')) == hashlib.sha256(data).hexdigest()
    with pytest.raises(DataError, match='cannot be read'):
        provenance.file_sha256(str(tmp_path / 'none'))


@pytest.mark.skipif(shutil.which('git') is None, reason='needs git')
def test_git(tmp_path):
    def git(*arguments):
        identity = ['-c', 'user.name=a', '-c', 'user.email=a@b']
        subprocess.run(['git', '-C', str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    assert provenance.git_state(tmp_path) is None
    git('init')
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'a.py').write_text('1')
    git('add', '.')
    git('commit', '-m', 'a')
    state = provenance.git_state(tmp_path / 'code')
    assert len(state.commit) == 40 and not state.dirty
    (tmp_path / 'venv').mkdir()
    (tmp_path / 'venv' / 'b.py').write_text('1')
    assert provenance.git_state(tmp_path / 'venv') is None  # installed inside another project
    assert not provenance.git_state(tmp_path / 'code').dirty
    (tmp_path / 'code' / 'a.py').write_text('2')
    assert provenance.git_state(tmp_path / 'code').dirty


def test_versions_hardware_and_seed():
    found = provenance.versions()
    assert found['torch'] == torch.__version__ and 'mmengine' in found['mmengine']
    assert all(isinstance(value, str) and value for value in found.values())
    machine = provenance.hardware()
    assert machine.cpu and machine.cpu_count >= 1 and machine.processes == 1
