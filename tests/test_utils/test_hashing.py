"""Bytes that hashes are taken over."""

import hashlib
import struct

import pytest
import torch

from osdpm_plugin.utils.hashing import CHUNK, sha256_of, tensor_bytes


def test_bytes_of_a_tensor_are_its_values_in_logical_order():
    rows = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert bytes(tensor_bytes(rows)) == struct.pack('=6f', 1, 2, 3, 4, 5, 6)
    assert bytes(tensor_bytes(rows.T)) == struct.pack('=6f', 1, 4, 2, 5, 3, 6)
    assert bytes(tensor_bytes(rows[:, 1].requires_grad_())) == struct.pack('=2f', 2, 5)


@pytest.mark.parametrize(
    'value, expected',
    [
        (torch.tensor(1.0, dtype=torch.bfloat16), struct.pack('=H', 0x3F80)),
        (torch.tensor(-2), struct.pack('=q', -2)),
        (torch.tensor([True, False]), b'\x01\x00'),
        (torch.tensor([float('nan')]).view(torch.int32).add(1).view(torch.float32), struct.pack('=I', 0x7FC00001)),
        (torch.zeros(0, 3), b''),
    ],
    ids=['bfloat16', 'int64', 'bool', 'payload of a NaN', 'empty'],
)
def test_bytes_of_other_types(value, expected):
    assert bytes(tensor_bytes(value)) == expected
    assert hashlib.sha256(tensor_bytes(value)).digest() == hashlib.sha256(expected).digest()


@pytest.mark.parametrize('size', [0, 1, CHUNK, CHUNK + 1])
def test_hash_of_a_file(tmp_path, size):
    path = tmp_path / 'file'
    path.write_bytes(b'a' * size)
    assert sha256_of(path) == sha256_of(str(path)) == hashlib.sha256(b'a' * size).hexdigest()


def test_hash_of_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / 'none')
