"""Checkpoints of the Runner load and resume on both stacks, and every way to them is restricted."""

from __future__ import annotations

import io
import pickle
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from osdpm_plugin.engine import checkpoint as safe
from osdpm_plugin.engine import load_from_local
from osdpm_plugin.errors import CheckpointError
from tests.helpers.payload import makes
from tests.helpers.toy_runner import COSINE, ONE_CYCLE, toy_runner


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A work folder with the checkpoints of two epochs."""
    folder = tmp_path_factory.mktemp('trained')
    toy_runner(folder, epochs=2, hook=dict(max_keep_ckpts=-1)).train()
    return folder


@pytest.mark.stack
@pytest.mark.parametrize('schedulers', [COSINE, ONE_CYCLE], ids=['cosine', 'one-cycle'])
@pytest.mark.parametrize(
    'metainfo', [dict(classes=('a', 'b')), dict(table=ConfigDict(a=1), mean=np.ones(3))], ids=['plain', 'config']
)
def test_resume_restores_the_whole_state(tmp_path, schedulers, metainfo):
    """Three epochs in one go, and two + one after an interruption, end in the same weights, momenta and history."""
    common = dict(epochs=3, schedulers=schedulers, metainfo=metainfo)
    whole = toy_runner(tmp_path / 'whole', **common)
    whole.train()
    first = toy_runner(tmp_path / 'parts', **common, custom=[dict(type='StopAt', epoch=2)])
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second = toy_runner(tmp_path / 'parts', **common, resume=True)
    with pytest.MonkeyPatch.context() as patch:  # the unrestricted way is never taken
        load = torch.load
        patch.setattr(torch, 'load', lambda *args, **kwargs: load(*args, **_restricted(kwargs)))
        second.train()
    assert (second.epoch, second.iter) == (3, 6)
    assert second.optim_wrapper.get_lr() == whole.optim_wrapper.get_lr()
    ours, theirs = second.optim_wrapper.state_dict()['state'], whole.optim_wrapper.state_dict()['state']
    assert all(torch.equal(ours[key]['step'], theirs[key]['step']) for key in theirs)
    assert all(torch.allclose(ours[key]['exp_avg'], theirs[key]['exp_avg']) for key in theirs)
    for name, tensor in whole.model.state_dict().items():
        assert torch.allclose(second.model.state_dict()[name], tensor), name
    assert second.message_hub.get_info('best_score') == 2.0  # one evaluation of the second run: 1.0 is no better
    history = second.message_hub.get_scalar('train/loss')
    assert isinstance(history, HistoryBuffer) and len(history.data[0]) == 6
    assert np.isclose(history.mean(6), whole.message_hub.get_scalar('train/loss').mean(6))
    assert np.isfinite(history.statistics('mean'))


def _restricted(kwargs: dict) -> dict:
    assert kwargs.get('weights_only') is True, 'a checkpoint was loaded without restriction'
    return kwargs


@pytest.mark.stack
def test_resume_goes_through_the_safe_loader(trained, monkeypatch):
    seen = []
    monkeypatch.setattr(safe, 'read_checkpoint', lambda file, map_location=None: seen.append(file) or load(file))
    load = partial(torch.load, weights_only=False)
    toy_runner(trained, epochs=2, resume=True).train()
    assert seen == [str(trained / 'epoch_2.pth')]


@pytest.mark.stack
def test_every_entry_of_a_runner_checkpoint_arrives(trained):
    loaded = load_from_local(str(trained / 'epoch_2.pth'))
    assert set(loaded) >= {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers', 'ema_state_dict'}
    assert loaded['meta']['dataset_meta'] == dict(classes=('a', 'b'))
    assert loaded['message_hub']['runtime_info']['best_score'] == 2.0
    oracle = torch.load(trained / 'epoch_2.pth', weights_only=False)  # trusted: made above
    for name, tensor in oracle['state_dict'].items():
        assert torch.equal(loaded['state_dict'][name], tensor)
    assert str(loaded['param_schedulers']) == str(oracle['param_schedulers'])


@pytest.mark.stack
@pytest.mark.parametrize('address', ['https://host.invalid/a/weights.pth', 'torchvision://resnet18'])
def test_downloads_are_restricted_too(tmp_path, monkeypatch, address):
    """`torch.hub` unpickles without restriction; here the download is, and an interrupted network is one sentence."""
    proof = tmp_path / 'proof'
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', lambda url, path, **_: torch.save(makes(proof), path))
    with pytest.raises(CheckpointError, match='exec'):
        CheckpointLoader.load_checkpoint(address)
    assert not proof.exists()
    offline = mock.Mock(side_effect=OSError('no route to host'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', offline)
    with pytest.raises(CheckpointError, match='cannot be fetched'):
        CheckpointLoader.load_checkpoint('https://host.invalid/other.pth')


def test_a_download_is_kept(tmp_path, monkeypatch):
    download = mock.Mock(side_effect=lambda url, path, **_: torch.save(dict(w=torch.ones(2)), path))
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    for _ in range(2):
        assert CheckpointLoader.load_checkpoint('https://host.invalid/w.pth?x=1')['w'].tolist() == [1, 1]
    assert [call.args[0] for call in download.call_args_list] == ['https://host.invalid/w.pth?x=1']


@pytest.mark.stack
def test_remote_storage_is_restricted(tmp_path, monkeypatch):
    """s3:// reads bytes through a backend, then unpickles them."""
    proof = tmp_path / 'proof'
    buffer = io.BytesIO()
    torch.save(makes(proof), buffer)
    store = mock.Mock(get=lambda path: buffer.getvalue())
    monkeypatch.setattr(mmengine_checkpoint, 'get_file_backend', lambda *args, **kwargs: store)
    with pytest.raises((CheckpointError, pickle.UnpicklingError)):
        CheckpointLoader.load_checkpoint('s3://bucket/evil.pth')
    assert not proof.exists()
