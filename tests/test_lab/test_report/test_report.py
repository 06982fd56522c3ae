"""The page: valid, self-contained, accessible, and every number in its tables the one that was measured."""

from __future__ import annotations

import json
import re
from itertools import product

import numpy as np
import pytest

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.lab.experiments.queries import read_queries
from osdpm_plugin.lab.experiments.summary import compare
from osdpm_plugin.lab.report import build_report, read_experiments, render_report, write_report
from osdpm_plugin.lab.report.hardest import misses_of
from osdpm_plugin.lab.report.page import TEMPLATES
from tests.helpers.report_runs import (
    LOG,
    Addresses,
    parse,
    rows_of,
    shapes_of,
    tables_of,
    write_experiment,
    write_scalars,
)
from tests.helpers.results import by_hand

NAMES = [f'{way}_R@{k}' for way in ('i2t', 't2i') for k in (1, 5, 10)] + ['Rsum', 'mR']


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Two configs of three and two seeds on the same data, one of a single seed on other data."""
    root = tmp_path_factory.mktemp('report')
    other = dict(name='other set', split='test', sha256='9' * 64, images=10, captions=30)
    return [
        write_experiment(root / 'full', 3, name='full_model', sha256='a' * 64),
        write_experiment(root / 'plain', 2, name='plain', sha256='b' * 64, noise=20),
        write_experiment(root / 'other', 1, name='elsewhere', sha256='c' * 64, noise=40, data=other),
    ]


@pytest.fixture(scope='module')
def page(folders):
    return render_report(build_report(read_experiments(folders), resamples=200))


def value(folder, seed, name, part='metrics', rule='expected'):
    return json.loads((folder / f'seed_{seed}' / 'test_results.json').read_text())[part][rule][name]


def test_recall_is_mean_and_deviation_over_seeds(page, folders):
    tables = tables_of(page)
    head, full, plain = tables['Recall on toy, split test']
    assert head == ['config', *(name.replace('_', ' ') for name in NAMES), 'seeds']
    for row, folder, seeds in ((full, folders[0], 3), (plain, folders[1], 2)):
        for cell, name in zip(row[1:-1], NAMES):
            mean, std = by_hand([value(folder, seed, name) for seed in range(seeds)])
            assert cell == f'{mean:.2f} ±\u00a0{std:.2f}'
    assert (full[0], full[-1], plain[0], plain[-1]) == ('full_model', '0, 1, 2', 'plain', '0, 1')
    (alone,) = tables['Recall on other set, split test'][1:]
    assert alone[1:-1] == [f'{value(folders[2], 0, name):.2f}' for name in NAMES]  # one seed: no deviation
    ties = tables['Rsum and mR under each rule for ties on other set, split test']
    rules = list(product(('Rsum', 'mR'), ('expected', 'optimistic', 'pessimistic')))
    assert ties[0][1:] == [f'{name} {rule}' for name, rule in rules]
    assert ties[1][1:] == [f'{value(folders[2], 0, name, rule=rule):.2f}' for name, rule in rules]
    content = tables['Relevance by content on other set, split test'][1]
    assert content[2:-1] == [f'{value(folders[2], 0, "content_" + n, "content_metrics"):.2f}' for n in NAMES]
    each = tables['Recall of each seed on toy, split test']
    assert each[2][:3] == ['full_model', '1', f'{value(folders[0], 1, NAMES[0]):.2f}']
    assert 'Ties: expected.' in ''.join(parse(page).itertext())


def test_differences_are_paired_over_common_seeds(page, folders):
    (head, row) = tables_of(page)['full_model minus each other config on toy, split test']
    files = [[folder / f'seed_{seed}' / 'test_results.json' for seed in (0, 1)] for folder in folders[:2]]
    found = compare(*files, resamples=200)['difference']
    for cell, name in zip(row[1:-1], NAMES):
        mean = np.mean([value(folders[0], s, name) - value(folders[1], s, name) for s in (0, 1)])
        low, high = found[name]['low'], found[name]['high']
        assert cell == f'{mean:+.2f} [{low:+.2f},\u00a0{high:+.2f}]'
    assert (head[0], row[0], row[-1]) == ('minus', 'plain', '0, 1')


def test_experiments_that_cannot_be_paired(tmp_path):
    folders = [
        write_experiment(tmp_path / 'a', 1, name='a', sha256='a' * 64),
        write_experiment(tmp_path / 'b', 1, name='b', sha256='b' * 64, selection='last'),
        write_experiment(tmp_path / 'c', 2, name='c', sha256='c' * 64),
    ]
    (folders[2] / 'seed_0' / 'test_results.json').unlink()
    text = ''.join(parse(render_report(build_report(read_experiments(folders), resamples=10))).itertext())
    assert 'a and b are not compared: a and b differ in selection rule' in text
    assert 'a and c have no seed in common' in text
    assert 'c: no test_results.json of seed 0' in text
    assert 'best retrieval/mR on val (a, c); last (b)' in text


def test_curves(page):
    tree, tables = parse(page), tables_of(page)
    assert tables['Training loss'][0] == [
        'epoch', 'full_model, seed 0', 'full_model, seed 1', 'full_model, seed 2', 'plain, seed 0', 'plain, seed 1',
        'elsewhere',
    ]  # fmt: skip
    assert tables['Training loss'][1] == ['1', '4.25', '5.25', '6.25', '4.25', '5.25', '4.25']
    assert [row[1] for row in tables['mR on val, percent'][1:]] == ['15', '20', '25']
    charts = {svg.find('title').text: svg for svg in tree.iter('svg') if svg.find('title') is not None}
    assert {'Training loss', 'Learning rate', 'mR on val, percent', 'Image to text R@1 on val, percent'} <= set(charts)
    loss, recall = charts['Training loss'], charts['mR on val, percent']
    assert [len(shapes) for svg in (loss, recall) for shapes in shapes_of(svg)] == [6, 0, 6, 6]  # rings on val alone
    assert 'full_model, seed 0: 4.25 at epoch 1, 2.25 at epoch 3, between 2.25 and 4.25.' in loss.find('desc').text


def test_page_is_valid_and_asks_for_nothing(page):
    parse(page)  # strict: raises at the first error
    found = Addresses(page)
    assert all(address.startswith(('#', 'data:')) for address in found.asked)
    assert not {'script', 'link', 'iframe', 'object', 'embed', 'base', 'form'} & set(found.tags)
    (style,) = re.findall(r'<style>(.*?)</style>', page, re.DOTALL)
    assert '@import' not in style and 'url(' not in style
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page


def test_page_is_accessible(page):
    tree = parse(page)
    ids = [element.get('id') for element in tree.iter() if element.get('id')]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        for ident in (element.get('aria-labelledby') or '').split():
            assert ident in ids
    levels = [int(e.tag[1]) for e in tree.iter() if isinstance(e.tag, str) and re.fullmatch('h[1-6]', e.tag)]
    assert levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert len(list(tree.iter('main'))) == len(list(tree.iter('nav'))) == len(list(tree.iter('header'))) == 1
    links = [link.get('href') for link in tree.iter('a')]
    assert links[0] == '#main' and all(link[1:] in ids for link in links)
    pictures = list(tree.iter('svg'))
    assert len(pictures) > 10
    for svg in pictures:
        assert svg.get('aria-hidden') == 'true' or (svg.find('title').text and svg.find('desc').text)
    for region in tree.iter('div'):
        if 'scroll' in (region.get('class') or ''):
            assert region.get('tabindex') == '0' and region.get('role') == 'region' and region.get('aria-label')
    for table in tree.iter('table'):
        assert table.find('caption') is not None and all(th.get('scope') for th in table.iter('th'))


def test_contrast_in_both_schemes():
    style = (TEMPLATES / 'style.css').read_text()
    light, dark = re.findall(r':root \{(.*?)\}', style, re.DOTALL)
    for part in (light, dark):
        colours = dict(re.findall(r'--([\w-]+): (#[0-9a-f]{6});', part))
        texts = [('ink', 'ground'), ('soft', 'ground'), ('link', 'ground'), ('ink', 'panel'), ('soft', 'panel')]
        texts += [('ink', 'warn-ground'), ('added', 'panel'), ('removed', 'panel')]
        for front, back in texts:
            assert contrast(colours[front], colours[back]) >= 4.5, (front, back)
        for series in range(6):
            assert contrast(colours[f'c{series}'], colours['ground']) >= 4.5


def contrast(one: str, other: str) -> float:
    """Ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_what_comes_from_data_is_escaped(tmp_path):
    evil = '<script>alert(1)</script>"\'&{{ 7*7 }}'
    folder = write_experiment(tmp_path / 'x', 1, name=evil.replace('/', ''), data=dict(
        name=evil, split=evil, sha256='d' * 64, images=10, captions=30
    ))  # fmt: skip
    (folder / 'seed_0' / 'config.py').write_text(f'caption = {evil!r}\n')
    text = render_report(build_report(read_experiments([folder]), title=evil))
    assert '<script' not in text and '{{ 7*7 }}' in text and '49' not in parse(text).findtext('.//title')
    assert parse(text).findtext('.//title') == evil
    assert any(evil in caption for caption in tables_of(text))


def test_misses_by_hand(page, folders):
    files = [read_queries(folders[0] / f'seed_{seed}' / 'test_queries.npz') for seed in range(3)]
    for way, key in zip(misses_of(files), ('i2t_hits', 't2i_hits')):
        hits = [getattr(file, key) for file in files]
        assert np.allclose(way.hits, sum(hit.astype(float) for hit in hits) / 3)
        assert way.never.tolist() == [all(hit[q, -1] == 0 for hit in hits) for q in range(len(way.ids))]
        worst = way.worst(4)
        keys = [(round(way.hits[i].sum(), 12), way.ids[i]) for i in range(len(way.ids))]
        assert [way.ids[i] for i in worst] == [ident for _, ident in sorted(keys)[:4]]
    rows = tables_of(page)['Queries without a right answer among the first K under any seed']
    i2t, _ = misses_of(files)
    assert rows[1][:6] == ['full_model', 'image to text', 'expected', '3', '10', str(i2t.never.sum())]


def test_only_trained(tmp_path):
    """Every section says what is missing and how to make it."""
    write_scalars(tmp_path / 'run', rows_of(2))
    (tmp_path / 'run' / '20260101_000000' / 'a.log').write_text(LOG)
    text = render_report(build_report(read_experiments([tmp_path / 'run'])))
    words = ' '.join(''.join(parse(text).itertext()).split())
    for missing, command in (
        ('no test_results.json of run', 'python tools/test.py CONFIG CHECKPOINT --work-dir'),
        ('no two evaluated experiments', 'python tools/run_seeds.py CONFIG ABLATION_CONFIG'),
        ('no pictures in the work dirs', '--evaluate --out report.html'),
        ('hits by id, no ranks', '--evaluate --out report.html'),
        ('no audit*.json', 'python tools/audit_dataset.py TYPE:ROOT --json'),
        ('holds no config file', 'python tools/test.py'),
    ):
        assert missing in words and command in words
    assert 'Python: 3.11.0' in words and 'a flag' not in words


def test_only_evaluated(tmp_path):
    folder = write_experiment(tmp_path / 'x', 1)
    (folder / 'seed_0' / '20260101_000000' / 'vis_data' / 'scalars.json').unlink()
    (folder / 'seed_0' / 'test_queries.npz').unlink()
    words = ''.join(parse(render_report(build_report(read_experiments([folder])))).itertext())
    assert 'no */vis_data/scalars.json of seed 0' in words and 'per-query file' in words
    assert 'over n seeds, n = 1.' in words


def test_configs_and_provenance(page, folders):
    words = ''.join(parse(page).itertext())
    assert '-lr = 0' in words and '+lr = 20' in words
    rows = {row[0]: row[1:] for row in tables_of(page)['Source code, data, weights and machine of each evaluation']}
    assert rows['fact'][:4] == ['full_model, seed 0', 'full_model, seed 1', 'full_model, seed 2', 'plain, seed 0']
    assert rows['config hash'] == ['a' * 12] * 3 + ['b' * 12] * 2 + ['c' * 12]
    assert rows['git commit'] == ['f' * 12] * 6 and rows['evaluation, seconds'] == ['1.5'] * 6
    assert tables_of(page)['Versions'] == [['package', 'version'], ['python', '3']]
    assert tables_of(page)['What was run'][1] == ['full_model', str(folders[0]), '3', '0, 1, 2', '3 of 3', '1.0 to 3.0']


def test_written_whole_or_not_at_all(tmp_path, folders, monkeypatch):
    report = build_report(read_experiments(folders[2:]))
    path = tmp_path / 'new' / 'r.html'
    write_report(report, str(path))
    before = path.read_bytes()
    assert before.decode() == render_report(report)  # and equal reports give equal bytes

    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr('osdpm_plugin.utils.files.os.fsync', fail)
    with pytest.raises(ConfigError, match='disk full'):
        write_report(build_report(read_experiments(folders[2:]), title='other'), str(path))
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ['r.html']
    with pytest.raises(ConfigError, match=r'must name an \.html file'):
        write_report(report, str(tmp_path / 'r.pdf'))
