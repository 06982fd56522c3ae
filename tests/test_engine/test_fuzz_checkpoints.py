"""Whatever is in a checkpoint file, it is loaded, or refused in one sentence; the code that it carries never runs."""

from __future__ import annotations

import builtins
import io
import pickle
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer

from osdpm_plugin.engine import load_from_local
from osdpm_plugin.errors import CheckpointError
from osdpm_plugin.pretrained.clip_checkpoint import read_clip_weights
from tests.helpers.fuzzing import FUZZED, SEEDS
from tests.helpers.payload import Payload
from tests.test_datasets.test_fuzz_readers import mutate_bytes

RAN: list[int] = []
NOTED = Payload(builtins.exec, 'from tests.test_engine.test_fuzz_checkpoints import RAN; RAN.append(1)')


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def contents():
    """Name -> bytes of a good file, and of two malicious ones."""
    state = {'visual.proj': torch.arange(6.0).view(2, 3), 'token_embedding.weight': torch.ones(4, 2)}
    whole = dict(
        meta=dict(epoch=1, iter=2),
        state_dict=state,
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0, 2.0], [1, 1]))),
    )
    evil = dict(whole, x=NOTED)
    old = dict(_use_new_zipfile_serialization=False)
    return {
        'zip': saved(whole),
        'legacy': saved(whole, **old),
        'evil zip': saved(evil),
        'evil legacy': saved(evil, **old),
        'pickle': pickle.dumps(dict(a=NOTED), protocol=2),
    }


FILES = contents()


def spoil(data, seed):
    """Some bytes changed; the pickle within a zip archive, stored without compression, is hit as often as the rest."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        return mutate_bytes(data, seed)
    changed = bytearray(data)
    start = max(changed.find(b'\x80\x02'), 0)
    for _ in range(rng.randint(1, 6)):
        changed[rng.randrange(start, min(start + 700, len(changed)))] = rng.randrange(256)
    return bytes(changed)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz') / 'model.pth'


@pytest.mark.filterwarnings('ignore')
@FUZZED
@given(seed=SEEDS, name=st.sampled_from(sorted(FILES)))
@pytest.mark.parametrize('load', [load_from_local, read_clip_weights], ids=['checkpoint', 'CLIP weights'])
def test_spoilt_checkpoints(path, load, seed, name):
    path.write_bytes(spoil(FILES[name], seed))
    try:
        load(str(path))
    except CheckpointError as error:
        assert 'model.pth' in str(error) and '\n' not in str(error)
    assert not RAN


@FUZZED
@given(data=st.binary(max_size=400))
@pytest.mark.filterwarnings('ignore')
def test_any_bytes(path, data):
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r'model\.pth'):
        load_from_local(str(path))


def test_the_good_files_load_and_the_others_are_malicious(path):
    for name in ('zip', 'legacy'):
        path.write_bytes(FILES[name])
        assert load_from_local(str(path))['meta'] == dict(epoch=1, iter=2)
    for name in ('evil zip', 'evil legacy'):
        path.write_bytes(FILES[name])
        with pytest.raises(CheckpointError, match='exec'):
            load_from_local(str(path))
        assert not RAN
        torch.load(io.BytesIO(FILES[name]), weights_only=False)
        assert RAN
        RAN.clear()
