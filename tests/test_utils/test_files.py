"""A file is there whole or not at all."""

import pytest

from osdpm_plugin.utils.files import atomic_file


def test_the_name_is_taken_when_the_block_ends(tmp_path):
    path = tmp_path / 'new' / 'file'
    with atomic_file(path, f'{path}.part') as file:
        file.write(b'whole')
        assert [p.name for p in path.parent.iterdir()] == ['file.part']
    assert [p.name for p in path.parent.iterdir()] == ['file'] and path.read_bytes() == b'whole'


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    with pytest.raises(error), atomic_file(path, f'{path}.part') as file:
        file.write(b'ha')
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ['file'] and path.read_bytes() == b'old'


def test_a_name_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_file('file', 'file.part') as file:
        file.write(b'1')
    assert (tmp_path / 'file').read_bytes() == b'1'
