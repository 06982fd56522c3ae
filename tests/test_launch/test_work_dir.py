"""The work folder is checked before anything costs time."""

from __future__ import annotations

import os
import tempfile
from unittest import mock

import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import check_work_dir


def test_makes_the_folder_and_leaves_it_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_work_dir('a/b') == str(tmp_path / 'a' / 'b')
    assert check_work_dir('a/b') == str(tmp_path / 'a' / 'b')
    assert os.listdir('a/b') == []


def test_expands_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert check_work_dir('~/runs') == str(tmp_path / 'runs')


@pytest.mark.parametrize('tail', ['', '/below'])
def test_a_file_in_the_way(tmp_path, tail):
    (tmp_path / 'file').write_text('x')
    message = r'work_dir .*file.* cannot be written: .*; name another one with --work-dir'
    with pytest.raises(ConfigError, match=message) as caught:
        check_work_dir(f'{tmp_path}/file{tail}')
    assert '\n' not in str(caught.value)


def test_no_permission(tmp_path):
    refuse = mock.Mock(side_effect=PermissionError(13, 'Permission denied'))
    message = 'cannot be written: Permission denied'
    with mock.patch.object(tempfile, 'NamedTemporaryFile', refuse), pytest.raises(ConfigError, match=message):
        check_work_dir(str(tmp_path))
