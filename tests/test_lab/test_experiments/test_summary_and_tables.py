"""Result files of seeds -> numbers by hand, tables that say what they stand on."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments.summary import compare, summarise_seeds
from osdpm_plugin.lab.experiments.tables import build_table, put_into, render
from tests.helpers.results import by_hand, write

RERANK = dict(rerank=dict(method='dual_softmax'))


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Two configs of three seeds, different predictions."""
    root = tmp_path_factory.mktemp('runs')
    one = [write(root / f'a{s}', seed=s, name='model_a', sha256='a' * 64, options=RERANK) for s in range(3)]
    two = [write(root / f'b{s}', seed=s, noise=10 + s, name='plain', sha256='b' * 64) for s in range(3)]
    return one, two


def value(path, name, part='metrics', rule='expected'):
    return json.loads(path.read_text())[part][rule][name]


def test_summary(runs):
    summary = json.loads(json.dumps(summarise_seeds(runs[0])))
    assert summary['seeds'] == [0, 1, 2] and summary['ddof'] == 1
    for rule in ('expected', 'pessimistic'):
        values = [value(path, 'mR', rule=rule) for path in runs[0]]
        assert len(set(values)) == 3
        mean, std = by_hand(values)
        found = summary['metrics'][rule]['mR']
        assert found['values'] == values and found['mean'] == pytest.approx(mean) and found['std'] == pytest.approx(std)
    assert {'content_Rsum', 'transductive_dual_softmax_Rsum'} <= set(summary['metrics']['expected'])
    assert summarise_seeds(runs[0][:1])['metrics']['expected']['mR']['std'] is None


def test_comparison(runs):
    found = compare(*runs, resamples=400)
    assert found['seeds'] == [0, 1, 2]
    for name in ('i2t_R@1', 't2i_R@10', 'Rsum', 'mR'):
        by_seed = [value(a, name) - value(b, name) for a, b in zip(*runs)]
        difference = found['difference'][name]
        assert difference['values'] == pytest.approx(by_seed, abs=1e-4)  # hits are stored in float32
        assert difference['mean'] == pytest.approx(np.mean(by_seed), abs=1e-4)
        assert difference['low'] <= difference['mean'] <= difference['high']
    again = compare(runs[0][::-1], runs[1], resamples=400)  # order of the files means nothing
    assert again == found
    for difference in compare(runs[0], runs[0], resamples=50)['difference'].values():
        assert difference == dict(mean=0, low=0, high=0, values=[0, 0, 0])


def test_what_cannot_be_averaged_or_compared(tmp_path, runs):
    one, two = runs
    for changes, message in (
        (dict(seed=0), 'the same seed twice'),
        (dict(seed=None), 'has no seed'),
        (dict(seed=9, sha256='0' * 64), 'differ in config'),
        (dict(seed=9, data=dict(name='x', split='test', sha256='1' * 64, images=10, captions=30)), 'differ in data'),
        (dict(seed=9, selection='last'), 'differ in selection rule'),
        (dict(seed=9, options=dict(RERANK, topk=(1, 2))), 'differ in topk'),
        (dict(seed=9, options=dict(RERANK, ties='optimistic')), 'differ in rule for ties'),
        (dict(seed=9, options={}), 'differ in set of numbers'),
    ):
        changes = {**dict(name='model_a', sha256='a' * 64, options=RERANK), **changes}
        other = write(tmp_path / 'x', noise=0, **changes)
        with pytest.raises(DataError, match=message):
            summarise_seeds([*one, other])
    with pytest.raises(DataError, match='differ in seeds'):
        compare(one, two[:2])
    (two[0].parent / 'test_queries.npz').rename(two[0].parent / 'gone')
    try:
        with pytest.raises(DataError, match='per-query file .* cannot be read'):
            compare(one, two)
        (two[0].parent / 'test_queries.npz').write_bytes(b'PK\x03\x04 and no more')
        with pytest.raises(DataError, match='per-query file .* cannot be read'):
            compare(one, two)
    finally:
        (two[0].parent / 'gone').rename(two[0].parent / 'test_queries.npz')


def test_markdown(runs):
    text = render(build_table([*runs[0], *runs[1]]))
    mean, std = by_hand([value(path, 'Rsum') for path in runs[0]])
    row = next(line for line in text.splitlines() if line.startswith('| `model_a`'))
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert len(cells) == 10 and cells[7] == f'{mean:.2f} ± {std:.2f}' and cells[-1] == '3'
    for words in ('split test', 'n = 3', 'Ties: expected', 'best retrieval/mR on val', '10 images, 30 captions'):
        assert words in text
    assert 'TRANSDUCTIVE' not in text and 'CHOSEN ON TEST' not in text
    assert render(build_table([*runs[0][::-1], *runs[1]])) == text


def test_one_seed_and_selection_on_test(tmp_path):
    text = render(build_table([write(tmp_path, seed=None, noise=0, selection='best retrieval/mR on TEST')]))
    assert '±' not in text.splitlines()[2] and 'CHOSEN ON TEST' in text and 'n = 1' in text


def test_csv_and_latex(runs):
    table = build_table([*runs[0], *runs[1]])
    rows = list(csv.DictReader(io.StringIO(render(table, 'csv'))))
    mean, std = by_hand([value(path, 'mR') for path in runs[1]])
    assert rows[1]['config'] == 'plain' and rows[1]['seeds'] == '0 1 2' and 'Ties: expected' in rows[1]['notes']
    assert float(rows[1]['mR mean']) == pytest.approx(mean, abs=1e-4)
    assert float(rows[1]['mR std']) == pytest.approx(std, abs=1e-4)
    latex = render(table, 'latex')
    assert f'${mean:.2f} \\pm {std:.2f}$' in latex and '\\texttt{model\\_a}' in latex and '±' not in latex
    body = [line for line in latex.splitlines() if line.endswith('\\\\')]
    assert len({line.count('&') for line in body}) == 1 and body[0].count('&') == 9


def test_secondary_numbers_say_so(runs):
    content = render(build_table(runs[0], 'content'))
    assert 'Relevance by content' in content
    assert f'{by_hand([value(p, "content_Rsum", "content_metrics") for p in runs[0]])[0]:.2f} ±' in content
    text = render(build_table(runs[0], 'transductive'))
    assert 'TRANSDUCTIVE' in text and 'transductive_dual_softmax' in text
    with pytest.raises(DataError, match='has no transductive numbers'):
        build_table([*runs[0], *runs[1]], 'transductive')


def test_into_readme(tmp_path):
    readme = tmp_path / 'README.md'
    readme.write_bytes(
        'é\r\n<!-- table:a -->\r\nold\r\n<!-- /table:a -->\r\n<!-- table:b --><!-- /table:b -->'.encode()
    )
    assert put_into(readme, 'a', '| new |\n| - |')
    expected = 'é\r\n<!-- table:a -->\r\n| new |\r\n| - |\r\n<!-- /table:a -->\r\n<!-- table:b --><!-- /table:b -->'
    assert readme.read_bytes().decode() == expected
    stamp = readme.stat().st_mtime_ns
    assert not put_into(readme, 'a', '| new |\n| - |')
    assert readme.stat().st_mtime_ns == stamp and readme.read_bytes().decode() == expected
    for marker, message in (('none', 'exactly once'), ('a b', 'letters'), ('.*', 'letters')):
        with pytest.raises(ConfigError, match=message):
            put_into(readme, marker, 'x')
    for text in ('<!-- /table:a --><!-- table:a -->', '<!-- table:a -->' * 2 + '<!-- /table:a -->', '<!-- table:a -->'):
        readme.write_text(text)
        with pytest.raises(ConfigError, match='exactly once'):
            put_into(readme, 'a', 'x')
        assert readme.read_text() == text
    with pytest.raises(ConfigError, match='cannot be read'):
        put_into(tmp_path / 'none.md', 'a', 'x')


def test_tool(tmp_path, runs, command):
    readme = tmp_path / 'README.md'
    readme.write_text('# A\n<!-- table:scenes -->\n<!-- /table:scenes -->\n')

    code, _, _ = command('make_tables', *runs[0], '--into', readme, '--marker', 'scenes')
    assert code == 0 and render(build_table(runs[0])) in readme.read_text()
    code, out, _ = command('make_tables', *runs[0], '--format', 'csv')
    assert code == 0 and out.startswith('config,i2t R@1 mean')
    for arguments in (['--into', readme], ['--into', readme, '--marker', 'scenes', '--format', 'csv']):
        code, _, err = command('make_tables', *runs[0], *arguments)
        assert code == 2 and err.startswith('error: --into') and err.count('\n') == 1
