"""tools/prepare_dataset.py: exit codes, report, JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from unittest import mock

import pytest

from osdpm_plugin.lab.data.preparing import PUBLISHED, PublishedFile, prepare
from tests.helpers.published_sets import pack, small, write
from tests.helpers.tools import run_tool_here


def run(*arguments: object) -> int:
    return run_tool_here('prepare_dataset.py', *arguments)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setitem(PUBLISHED, 'rsicd', small('rsicd'))
    monkeypatch.setitem(PUBLISHED, 'ucm', small('ucm'))
    return pack(write(tmp_path / 'source', 'rsicd'), tmp_path / 'RSICD.zip')


def test_complete(tmp_path, capsys, archive):
    out = tmp_path / 'new folder' / 'report.json'
    for status in ('placed now', 'nothing changed'):
        assert run('rsicd', '--root', tmp_path / 'data', '--from', archive, '--json', out) == 0
        assert f'RSICD in {tmp_path / "data"}: complete ({status})' in capsys.readouterr().out
    report = json.loads(out.read_text())
    digest = hashlib.sha256((tmp_path / 'source' / 'dataset_rsicd.json').read_bytes()).hexdigest()
    assert (report['complete'], report['images'], report['captions'], report['changed']) == (True, 24, 120, False)
    assert report['ann_sha256'] == digest


def test_not_complete(tmp_path, capsys, archive):
    assert run('rsicd', '--root', tmp_path / 'data') == 1
    text = capsys.readouterr().out
    assert 'WRONG: the annotation file' in text and 'https://github.com/201528014227051/RSICD_optimal' in text
    assert 'dataset_rsicd.json' in text and 'RSICD_images.zip (485 MB)' in text
    (tmp_path / 'source' / 'RSICD_images' / 'scene_0.jpg').unlink()
    assert run('rsicd', '--root', tmp_path / 'data', '--from', tmp_path / 'source') == 1
    assert 'WRONG: 1 of 24 images are missing' in capsys.readouterr().out


def test_bad_input(tmp_path, capsys, archive):
    for arguments, sentence in (
        (('ucm', '--root', tmp_path / 'data', '--from', tmp_path / 'nowhere'), 'does not exist'),
        (('ucm', '--root', tmp_path / 'data', '--download'), 'no file of UCM-Captions has an address'),
        (('rsicd', '--root', tmp_path / 'data', '--from', archive, '--json', tmp_path), 'cannot be written'),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith('error: ') and sentence in error
    assert run('coco', '--root', tmp_path) == 2
    assert 'invalid choice' in capsys.readouterr().err


def test_interrupted(tmp_path, monkeypatch, capsys, archive):
    monkeypatch.setattr(sys.modules[prepare.__module__], '_place', mock.Mock(side_effect=KeyboardInterrupt))
    assert run('rsicd', '--root', tmp_path / 'data', '--from', archive) == 130
    assert 'run again to continue' in capsys.readouterr().err


def test_download(tmp_path, monkeypatch, archive):
    digest, url = hashlib.sha256(archive.read_bytes()).hexdigest(), 'https://example.org/RSICD_images.zip'
    file = PublishedFile('RSICD_images.zip', url, archive.stat().st_size, digest)
    monkeypatch.setitem(PUBLISHED, 'rsicd', dataclasses.replace(PUBLISHED['rsicd'], downloads=(file,)))
    asked = []

    def fake(url, target, **known):
        asked.append((url, known['size'], known['sha256']))
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(archive.read_bytes())
        return target

    monkeypatch.setattr('osdpm_plugin.lab.data.preparing.download', fake)
    for _ in range(2):
        assert run('rsicd', '--root', tmp_path / 'data', '--download') == 0
    assert asked == [(url, file.size, digest)]
