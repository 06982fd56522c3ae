"""Whatever a checkpoint file holds, its numbers are read and its code is not run; what is no checkpoint is named."""

from __future__ import annotations

import builtins
import io
import json
import pickle
import zipfile
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.pretrained.checkpoint import read_checkpoint
from osdpm_plugin.pretrained.clip_checkpoint import read_clip_weights
from tests.helpers.payload import Payload, makes

BOTH = pytest.mark.parametrize(
    'load', [CheckpointLoader.load_checkpoint, read_clip_weights], ids=['checkpoint', 'CLIP weights']
)


def chain(owner, name):
    """``getattr(getattr(first, name), name)...`` as a pickle."""
    return Payload(builtins.getattr, owner, name)


@pytest.mark.stack
@pytest.mark.parametrize('kind', ['zip', 'legacy', 'mmengine'])
@BOTH
def test_malicious_file_does_not_run(tmp_path, load, kind):
    path, proof = tmp_path / 'evil.pth', tmp_path / 'proof'
    evil = dict(state_dict={}, extra=makes(proof))
    hub = dict(message_hub=HistoryBuffer([1.0], [1])) if kind == 'mmengine' else {}
    torch.save(dict(hub, **evil), path, _use_new_zipfile_serialization=kind != 'legacy')
    with pytest.raises(CheckpointError) as caught:
        load(str(path))
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
        (chain(HistoryBuffer, 'min'), '__globals__'),  # through an allowed method
    ],
)
def test_getattr_reaches_the_statistics_alone(tmp_path, owner, name):
    """`HistoryBuffer.__init__.__globals__` would lead to any function; the fork's allow-list permits it."""
    path = tmp_path / 'chain.pth'
    torch.save(dict(x=chain(owner, name)), path)
    with pytest.raises(CheckpointError, match='holds getattr'):
        read_checkpoint(str(path))


def test_the_allowed_list_does_not_leak(tmp_path):
    path, before = str(tmp_path / 'log.pth'), set(torch.serialization.get_safe_globals())
    torch.save(HistoryBuffer([1.0], [1]), path)
    assert read_checkpoint(path).data[0].tolist() == [1.0]
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_class_that_the_user_allows_loads(tmp_path):
    path = tmp_path / 'own.pth'
    torch.save(dict(x=Allowed()), path)
    with pytest.raises(CheckpointError, match=r'test_checkpoint\.Allowed'):
        read_checkpoint(str(path))
    with torch.serialization.safe_globals([Allowed]):
        assert isinstance(read_checkpoint(str(path))['x'], Allowed)


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
    loaded = read_checkpoint(str(path))['x']
    assert loaded.dtype == value.dtype and np.array_equal(loaded, value)


def test_numbers_saved_by_the_other_numpy_load(tmp_path):
    """NumPy 1 writes `numpy.core`, NumPy 2 `numpy._core`; each loads under the other."""
    path, other = tmp_path / 'mine.pth', tmp_path / 'other.pth'
    torch.save(dict(x=np.float64(2.5), y=np.arange(3)), path)
    mine, theirs = (b'numpy._core', b'numpy.core') if hasattr(np, '_core') else (b'numpy.core', b'numpy._core')
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, 'w') as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(mine, theirs))
    loaded = read_checkpoint(str(other))
    assert loaded['x'] == 2.5 and loaded['y'].tolist() == [0, 1, 2]


@pytest.mark.stack
@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
@pytest.mark.parametrize('share', [0.0, 0.01, 0.3, 0.7, 0.99])
@BOTH
def test_truncated_file(tmp_path, load, share, legacy):
    whole = tmp_path / 'whole.pth'
    content = dict(state_dict=dict(w=torch.randn(64, 64)), meta=dict(epoch=1))
    torch.save(content, whole, _use_new_zipfile_serialization=not legacy)
    data = whole.read_bytes()
    path = tmp_path / 'cut.pth'
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=r'cut\.pth is damaged .* \(\d+ bytes\); fetch') as caught:
        load(str(path))
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
@BOTH
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
        read_checkpoint(str(path))


@BOTH
def test_missing_file_and_folder(tmp_path, load):
    with pytest.raises(CheckpointError, match='does not exist; check the path'):
        load(str(tmp_path / 'none.pth'))
    with pytest.raises(CheckpointError, match='is a folder; it holds no checkpoint, give the path of one'):
        load(str(tmp_path))
    for name in ('epoch_2.pth', 'best_mR.pth', 'notes.txt'):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match='is a folder; name one of its checkpoints: best_mR.pth, epoch_2.pth$'):
        load(str(tmp_path))


def zipped(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr(name, b'x')
    return buffer.getvalue()


INDEX = json.dumps(dict(metadata={}, weight_map=dict(a='model-1-of-2.bin', b='model-2-of-2.bin')), indent=2).encode()


@pytest.mark.parametrize('suffix', ['pth', 'pt', 'bin', 'safetensors'])
@pytest.mark.parametrize(
    'data, message',
    [
        (b'\x89PNG\r\n\x1a\n' + bytes(range(256)) * 4, 'is a PNG image, not a checkpoint'),
        (b'\xff\xd8\xff\xe0' + b'c' * 999, 'is a JPEG image, not a checkpoint'),
        (b'II*\x00' + b'\x80' * 999, 'is a TIFF image'),
        (b'\x89HDF\r\n\x1a\n' + b'\x80' * 999, 'is an HDF5 file'),
        (b'\x1f\x8b' + b'c' * 999, 'is a gzip archive'),
        (b'\x00' * 5000, 'is damaged: it begins with nothing but zeros .5000 bytes.; fetch or save it again'),
        (b'c' * 5000, 'is damaged or was not made by torch.save .5000 bytes.'),
        (b'cos\nsystem\n(S"ls"\ntR.', 'is damaged or was not made by torch.save'),
        (b'(lp0\nI1\na.', 'is damaged or was not made by torch.save'),
        (
            INDEX,
            r'is the index of weights in 2 files \(model-1-of-2.bin, ...\), not the weights; name a file that',
        ),
        (b'\xef\xbb\xbf{"model_type": "clip"}', 'is JSON, not a checkpoint'),
        (zipped('model.pth'), 'is a ZIP archive of other files .model.pth., not a checkpoint; unpack it'),
    ],
    ids=['png', 'jpeg', 'tiff', 'hdf5', 'gzip', 'zeros', 'letters', 'code', 'list', 'index', 'json', 'zip'],
)
@BOTH
def test_other_kinds_of_files_are_not_accused(tmp_path, load, data, message, suffix):
    path = tmp_path / f'weights.{suffix}'
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(str(path))
    assert 'run code' not in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.stack
@pytest.mark.parametrize('name', ['weights.pt', 'weights.bin', 'weights.ckpt', 'weights'])
@BOTH
def test_safetensors_of_another_name(tmp_path, load, name):
    weights = {'visual.proj': torch.arange(6.0).reshape(2, 3), 'visual.conv1.weight': torch.zeros(2, 3, 4, 4)}
    save_file(weights, tmp_path / name)
    content = load(str(tmp_path / name))
    found = content.state if hasattr(content, 'state') else content
    assert found.keys() == weights.keys() and all(torch.equal(found[key], weights[key]) for key in weights)


@pytest.mark.parametrize('published', [False, True])
def test_a_pickle_named_safetensors(tmp_path, published):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'weights.safetensors')
    path = str(tmp_path / 'weights.safetensors')
    assert read_checkpoint(path, published=published)['a'].tolist() == [1.0, 1.0]


def test_a_cut_safetensors_file(tmp_path):
    save_file({'a': torch.ones(64)}, tmp_path / 'whole')
    for size in (0, 5, 20, 200):
        (tmp_path / 'cut.bin').write_bytes((tmp_path / 'whole').read_bytes()[:size])
        with pytest.raises(CheckpointError, match='is damaged'):
            read_checkpoint(str(tmp_path / 'cut.bin'))


@pytest.mark.parametrize('noted', ['epoch_2.pth', '/gone/run/epoch_2.pth', 'C:\\runs\\epoch_2.pth', 'epoch_2.pth\n'])
def test_last_checkpoint_is_followed_in_its_folder(tmp_path, noted):
    torch.save(dict(a=2), tmp_path / 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(noted)
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'last_checkpoint')) == dict(a=2)


@pytest.mark.parametrize('noted', ['', 'epoch_3.pth', '..', '\x00'])
def test_last_checkpoint_that_leads_nowhere(tmp_path, noted):
    (tmp_path / 'last_checkpoint').write_text(noted)
    with pytest.raises(CheckpointError, match='last_checkpoint names .*, which is not in its folder'):
        read_checkpoint(str(tmp_path / 'last_checkpoint'))


@pytest.mark.parametrize(
    ('error', 'raised', 'message'),
    [
        (PermissionError(13, 'Permission denied'), CheckpointError, r'a\.pth cannot be read \(Permission denied\)'),
        (torch.OutOfMemoryError('CUDA out of memory'), torch.OutOfMemoryError, 'CUDA out of memory'),
    ],
    ids=['an unreadable file', 'an error of the device keeps its traceback'],
)
def test_errors_while_a_file_is_read(tmp_path, error, raised, message):
    (tmp_path / 'a.pth').touch()
    with mock.patch.object(torch, 'load', side_effect=error), pytest.raises(raised, match=message):
        read_checkpoint(str(tmp_path / 'a.pth'))
