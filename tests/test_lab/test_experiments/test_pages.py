"""Result files that are kept beside the configs, and the tables of a page that are made from them."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments.keep import keep_results
from osdpm_plugin.lab.experiments.metafile import build_metafile
from osdpm_plugin.lab.experiments.pages import NOTHING_YET, update_page
from osdpm_plugin.lab.experiments.queries import read_queries
from osdpm_plugin.lab.experiments.schema import read_result
from osdpm_plugin.lab.experiments.summary import compare
from tests.helpers.paths import CONFIGS, ROOT
from tests.helpers.results import by_hand, write

OURS, PLAIN, PEER = 'osdpm_ucm_resnet50_minilm', 'ablations/ucm_resnet50_minilm_plain', 'comparison/resnet50/vsepp_ucm'
PAGE = """# Results
<!-- table:ucm from results/osdpm_ucm_* results/ablations/ucm_* -->
an old table
<!-- /table:ucm -->
text stays
<!-- table:peers published ucm resnet50 -->
<!-- /table:peers -->
<!-- table:gains minus results/osdpm_ucm_resnet50_minilm results/ablations/ucm_resnet50_minilm_plain;
     results/osdpm_ucm_resnet50_minilm results/nothing -->
<!-- /table:gains -->
<!-- table:rsicd from results/osdpm_rsicd -->
<!-- /table:rsicd -->
<!-- table:by_hand -->mine<!-- /table:by_hand -->
"""


def test_every_table_of_the_results_page_is_that_of_the_kept_results(tmp_path):
    """The committed pages change not by a byte, and nothing but generated tables has numbers of ours."""
    for name in ('README.md', 'trials/README.md'):
        page = CONFIGS / name
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True, parents=True)
        shutil.copyfile(page, copy)
    for folder in ('results', 'comparison', 'ablations', '_base_'):
        (tmp_path / folder).symlink_to(CONFIGS / folder)
    for config in CONFIGS.glob('*.py'):
        (tmp_path / config.name).symlink_to(config)
    filled = update_page(tmp_path / 'README.md') | update_page(tmp_path / 'trials/README.md')
    for name in ('README.md', 'trials/README.md'):
        assert (tmp_path / name).read_bytes() == (CONFIGS / name).read_bytes()
    places = {'ucm', 'rsicd150', 'comparison_ucm', 'comparison_rsicd150', 'differences', 'scenes', 'trials'}
    assert set(filled) >= places and filled['scenes']
    for name in ('README.md', 'trials/README.md'):  # no table of measured numbers stands outside
        outside = re.sub(r'<!-- table:.*?<!-- /table:', '', (CONFIGS / name).read_text(), flags=re.DOTALL)
        assert '| i2t R@1 |' not in outside and 'on TEST' not in outside


def finish(root, config, seeds, *, noise=0, sha256='c' * 64, state=True):
    """Work dirs of finished seeds, as tools/run_seeds.py leaves them."""
    for seed in seeds:
        folder = root / config.split('/')[-1] / f'seed_{seed}'
        training = dict(passes=9.0, epochs=45, steps=90, minutes=1.5, stopped=False)
        write(folder, seed=seed, noise=noise + seed, name=folder.parent.name, sha256=sha256, training=training)
        if state:
            options = ['train_cfg.max_epochs=45', 'test_dataloader.dataset.data_root=/data', 'a.b=[1, 2]']
            (folder / 'state.json').write_text(json.dumps(dict(config=f'configs/{config}.py', options=options)))


@pytest.fixture
def kept(tmp_path):
    """A folder of configs with the results of three of them, and its page."""
    configs = tmp_path / 'configs'
    shutil.copytree(CONFIGS, configs, ignore=shutil.ignore_patterns('results', '*.md', '*.yml'))
    (configs / 'README.md').write_text(PAGE)
    for number, (config, seeds) in enumerate([(OURS, (0, 1, 10)), (PLAIN, (0, 1)), (PEER, (1,))]):
        finish(tmp_path / 'work', config, seeds, noise=20 * number, sha256=str(number) * 64)
    assert len(keep_results([tmp_path / 'work'], configs)) == 6
    return configs


def test_what_is_kept(kept, tmp_path):
    files = sorted(path.relative_to(kept / 'results').as_posix() for path in (kept / 'results').rglob('*.*'))
    assert files == sorted(
        f'{config}/{file}'
        for config, seeds in ((OURS, (0, 1, 10)), (PLAIN, (0, 1)), (PEER, (1,)))
        for file in ('command.txt', *(f'seed_{seed}.{kind}' for seed in seeds for kind in ('json', 'npz')))
    )
    result = read_result(kept / 'results' / OURS / 'seed_10.json')
    first = read_result(tmp_path / 'work' / OURS / 'seed_10/test_results.json')
    assert (
        result.metrics == first.metrics and result.training == first.training and result.queries_file == 'seed_10.npz'
    )
    hits = [
        read_queries(file).t2i_hits
        for file in (kept / 'results' / OURS / 'seed_10.npz', tmp_path / 'work' / OURS / 'seed_10/test_queries.npz')
    ]
    assert (hits[0] == hits[1]).all()
    command = f'python tools/run_seeds.py configs/{OURS}.py --seeds 0 1 10 --cfg-options train_cfg.max_epochs=45 '
    assert (kept / 'results' / OURS / 'command.txt').read_text() == command + "'a.b=[1, 2]'\n"
    assert [model['Name'] for model in build_metafile(kept / 'results')['Models']] == [PEER, OURS, PLAIN.split('/')[1]]
    finish(tmp_path / 'again', PEER, (2,), sha256='2' * 64)
    keep_results([tmp_path / 'again'], kept, command='make it')
    assert (kept / 'results' / PEER / 'command.txt').read_text() == 'make it\n'


def test_tables_of_a_page(kept):
    page = kept / 'README.md'
    assert update_page(page) == dict(ucm=True, peers=True, gains=True, rsicd=False)
    text = page.read_text()
    assert f'-->\n{NOTHING_YET}\n<!-- /table:rsicd -->' in text and 'text stays' in text and 'old' not in text
    assert '<!-- table:by_hand -->mine<!-- /table:by_hand -->' in text
    files = {config: sorted((kept / 'results' / config).glob('*.json')) for config in (OURS, PLAIN, PEER)}
    values = [json.loads(path.read_text())['metrics']['expected']['Rsum'] for path in files[OURS]]
    mean, std = by_hand(values)
    assert f'| `{OURS}` |' in text and f'| {mean:.2f} ± {std:.2f} |' in text
    assert f'Result files: `results/{OURS}`, `results/{PLAIN}`; commit ffffffffffff.' in text
    both = [path for path in files[OURS] if path.stem != 'seed_10']
    rsum = compare(both, files[PLAIN])['difference']['Rsum']
    row = f'| `{OURS}` minus `ucm_resnet50_minilm_plain` | toy, test | {rsum["mean"]:+.2f} [{rsum["low"]:+.2f}, '
    assert row in text and 'results/nothing' not in text.partition('Percentage points')[2]
    peers = text.partition('<!-- table:peers')[2].partition('<!-- /table')[0]
    assert '| VSE++ |' in peers and '| OSDPM |' in peers and 'SCAN' not in peers and '| 9.0 | 90 | 1.5 | 1 |' in peers
    assert 'CUT SHORT before mR had stopped rising: VSE++ (1 of 1 seeds, 9 of 70 passes).' in peers
    stamp = page.stat().st_mtime_ns
    update_page(page)
    assert page.stat().st_mtime_ns == stamp


def test_what_cannot_be_kept_or_made(kept, tmp_path):
    with pytest.raises(DataError, match=r'there is no test_results\.json below'):
        keep_results([tmp_path / 'nothing'], kept)
    finish(tmp_path / 'other', OURS, (3,), sha256='d' * 64)
    with pytest.raises(
        DataError, match=r'seed_\d+\.json is of config hash 000000000000, .* of dddddddddddd; remove the old'
    ):
        keep_results([tmp_path / 'other'], kept)
    finish(tmp_path / 'unknown', PEER, (3,), sha256='2' * 64, state=False)
    with pytest.raises(ConfigError, match='is a result of vsepp_ucm, of which .* has 2 configs'):
        keep_results([tmp_path / 'unknown'], kept)
    for place, words in (
        ('published ucm nothing', 'published ucm nothing must be a set and a tower'),
        ('minus results/a', 'minus results/a must be pairs of folders'),
    ):
        (kept / 'README.md').write_text(f'<!-- table:a {place} -->\n<!-- /table:a -->\n')
        with pytest.raises(ConfigError, match=words):
            update_page(kept / 'README.md')
    (kept / 'README.md').write_text('<!-- table:a from results/a -->\n')
    with pytest.raises(ConfigError, match='exactly once'):
        update_page(kept / 'README.md')


def test_tools(kept, tmp_path, command):
    finish(tmp_path / 'more', PLAIN, (10,), sha256='1' * 64)
    code, out, err = command('keep_results', tmp_path / 'more', '--configs', kept)
    assert code == 0, err
    assert f'{kept}/README.md: table rsicd has no result files yet\n' in out and out.endswith(
        'metafile.yml: 3 models\n'
    )
    text = (kept / 'README.md').read_text()
    code, out, err = command('make_tables', '--page', kept / 'README.md')
    assert code == 0 and (kept / 'README.md').read_text() == text and 'table ucm is up to date' in out
    code, out, err = command('make_tables', 'a.json', '--page', kept / 'README.md')
    assert code == 2 and '--page takes its result files from the page' in err
    code, out, err = command('make_tables')
    assert code == 2 and 'there are no result files' in err
    assert (ROOT / 'tools/keep_results.py').is_file()
