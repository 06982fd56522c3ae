"""Checkpoints of the Runner load and resume on both stacks; files that carry code, or are damaged, do not load."""

from __future__ import annotations

import builtins
import io
import pickle
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmengine.runner import checkpoint as mmengine_checkpoint

from osdpm_plugin.engine import checkpoint as safe
from osdpm_plugin.engine import load_from_local
from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.pretrained.clip_checkpoint import read_clip_weights
from tests.helpers.toy_runner import COSINE, ONE_CYCLE, toy_runner


class Payload:
    """An object whose unpickling runs a function."""

    def __init__(self, function, *arguments) -> None:
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


class Chain:
    """``getattr(getattr(first, name), name)...`` as a pickle."""

    def __init__(self, owner, name) -> None:
        self.reduced = builtins.getattr, (owner, name)

    def __reduce__(self):
        return self.reduced


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
@pytest.mark.parametrize('kind', ['zip', 'legacy', 'mmengine'])
def test_malicious_file_does_not_run(tmp_path, kind):
    path, proof = tmp_path / 'evil.pth', tmp_path / 'proof'
    evil = dict(state_dict={}, extra=Payload(builtins.exec, f'open({str(proof)!r}, "w")'))
    if kind == 'zip':
        torch.save(evil, path)
    elif kind == 'legacy':
        torch.save(evil, path, _use_new_zipfile_serialization=False)
    else:
        torch.save(dict(message_hub=HistoryBuffer([1.0], [1]), **evil), path)
    with pytest.raises(CheckpointError) as caught:
        CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert not proof.exists()
    message = str(caught.value)
    assert str(path) in message and 'exec' in message and 'add_safe_globals' in message and '\n' not in message


@pytest.mark.stack
@pytest.mark.parametrize(
    'owner,name',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__subclasses__'),
        (np.ndarray, 'tofile'),
        ('text', 'format'),
    ],
)
def test_getattr_reaches_the_statistics_alone(tmp_path, owner, name):
    """`HistoryBuffer.__init__.__globals__` would lead to any function; the fork's allow-list permits it."""
    path = tmp_path / 'chain.pth'
    torch.save(dict(x=Chain(owner, name)), path)
    with pytest.raises(CheckpointError, match='holds getattr'):
        load_from_local(str(path))


def test_getattr_through_an_allowed_method(tmp_path):
    path = tmp_path / 'chain.pth'
    torch.save(dict(x=Chain(Chain(HistoryBuffer, 'min'), '__globals__')), path)
    with pytest.raises(CheckpointError, match='holds getattr'):
        load_from_local(str(path))


def test_the_allowed_list_does_not_leak(trained):
    before = set(torch.serialization.get_safe_globals())
    load_from_local(str(trained / 'epoch_1.pth'))
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_class_that_the_user_allows_loads(tmp_path):
    path = tmp_path / 'own.pth'
    torch.save(dict(x=Allowed()), path)
    with pytest.raises(CheckpointError, match=r'test_checkpoint\.Allowed'):
        load_from_local(str(path))
    with torch.serialization.safe_globals([Allowed]):
        assert isinstance(load_from_local(str(path))['x'], Allowed)


class Allowed:
    """A class of a user."""


@pytest.mark.parametrize(
    'value',
    [
        np.float64(1.5),
        np.float32(1.5),
        np.float16(1.5),
        np.int64(3),
        np.int8(3),
        np.uint32(3),
        np.bool_(True),
        np.arange(6.0).reshape(2, 3),
        np.array([True, False]),
        np.array([], dtype=np.int32),
    ],
    ids=lambda value: f'{value.dtype}{value.shape}',
)
def test_numpy_numbers_load(tmp_path, value):
    path = tmp_path / 'numbers.pth'
    torch.save(dict(x=value), path)
    loaded = load_from_local(str(path))['x']
    assert loaded.dtype == value.dtype and np.array_equal(loaded, value)


def test_numbers_saved_by_the_other_numpy_load(tmp_path):
    """NumPy 1 writes `numpy.core`, NumPy 2 `numpy._core`; each loads under the other."""
    path, other = tmp_path / 'mine.pth', tmp_path / 'other.pth'
    torch.save(dict(x=np.float64(2.5), y=np.arange(3)), path)
    mine, theirs = (b'numpy._core', b'numpy.core') if hasattr(np, '_core') else (b'numpy.core', b'numpy._core')
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, 'w') as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(mine, theirs))
    loaded = load_from_local(str(other))
    assert loaded['x'] == 2.5 and loaded['y'].tolist() == [0, 1, 2]


@pytest.mark.stack
@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
@pytest.mark.parametrize('share', [0.0, 0.01, 0.3, 0.7, 0.99])
def test_truncated_file(tmp_path, share, legacy):
    whole = tmp_path / 'whole.pth'
    torch.save(
        dict(state_dict=dict(w=torch.randn(64, 64)), meta=dict(epoch=1)),
        whole,
        _use_new_zipfile_serialization=not legacy,
    )
    data = whole.read_bytes()
    path = tmp_path / 'cut.pth'
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=r'cut\.pth is damaged .* \(\d+ bytes\); fetch') as caught:
        load_from_local(str(path))
    assert '\n' not in str(caught.value)


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize(
    'data, message',
    [
        (b'<!DOCTYPE html><html>404</html>', 'is a web page, not the download itself'),
        (b'\x00' * 512, 'is damaged'),
        (b'just words', 'is damaged'),
        (b'version https://git-lfs\noid sha256:0', 'is a Git LFS pointer, .*; fetch that with `git lfs pull`'),
        (pickle.dumps(dict(a=1)), 'is damaged'),
        (pickle.dumps(dict(a=1), protocol=2)[:-3], 'is damaged'),
    ],
    ids=['page', 'zeros', 'words', 'pointer', 'pickle', 'cut pickle'],
)
@pytest.mark.parametrize('load', [load_from_local, read_clip_weights], ids=['checkpoint', 'CLIP weights'])
def test_other_files_are_named_as_such(tmp_path, load, data, message):
    path = tmp_path / 'page.pth'
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf'page\.pth {message}'):
        load(str(path))


@pytest.mark.filterwarnings('ignore:.*TorchScript archive')
def test_torchscript_archive(tmp_path):
    path = tmp_path / 'clip.pt'
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.raises(CheckpointError, match='TorchScript archive, not a checkpoint'):
        load_from_local(str(path))


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / 'none.pth', tmp_path):
        with pytest.raises(CheckpointError, match='is not a file; check the path'):
            load_checkpoint(torch.nn.Linear(1, 1), str(path))


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / 'secret.pth'
    path.write_bytes(b'')

    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(torch, 'load', refuse)
    with pytest.raises(CheckpointError, match=r'secret\.pth cannot be read \(Permission denied\)'):
        load_from_local(str(path))


def test_errors_of_the_device_keep_their_traceback(tmp_path, monkeypatch):
    path = tmp_path / 'big.pth'
    path.write_bytes(b'')

    def exhaust(*args, **kwargs):
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(torch, 'load', exhaust)
    with pytest.raises(torch.OutOfMemoryError):
        load_from_local(str(path))


@pytest.mark.stack
@pytest.mark.parametrize('address', ['https://host.invalid/a/weights.pth', 'torchvision://resnet18'])
def test_downloads_are_restricted_too(tmp_path, monkeypatch, address):
    """`torch.hub` unpickles without restriction; here the download is, and an interrupted network is one sentence."""
    proof = tmp_path / 'proof'
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, path, **_: torch.save(Payload(builtins.exec, f'open({str(proof)!r}, "w")'), path),
    )
    with pytest.raises(CheckpointError, match='exec'):
        CheckpointLoader.load_checkpoint(address)
    assert not proof.exists()

    def offline(url, path, **_):
        raise OSError('no route to host')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', offline)
    with pytest.raises(CheckpointError, match='cannot be fetched'):
        CheckpointLoader.load_checkpoint('https://host.invalid/other.pth')


def test_a_download_is_kept(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, path, **_: (calls.append(url), torch.save(dict(w=torch.ones(2)), path)),
    )
    for _ in range(2):
        assert CheckpointLoader.load_checkpoint('https://host.invalid/w.pth?x=1')['w'].tolist() == [1, 1]
    assert calls == ['https://host.invalid/w.pth?x=1']


@pytest.mark.stack
def test_remote_storage_is_restricted(tmp_path, monkeypatch):
    """s3:// reads bytes through a backend, then unpickles them."""
    proof = tmp_path / 'proof'
    buffer = io.BytesIO()
    torch.save(Payload(builtins.exec, f'open({str(proof)!r}, "w")'), buffer)

    class Store:
        def get(self, path):
            return buffer.getvalue()

    monkeypatch.setattr(mmengine_checkpoint, 'get_file_backend', lambda *args, **kwargs: Store())
    with pytest.raises((CheckpointError, pickle.UnpicklingError)):
        CheckpointLoader.load_checkpoint('s3://bucket/evil.pth')
    assert not proof.exists()
