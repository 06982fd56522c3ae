"""Published numbers, config files of every method, and what is run in which order; trainings are stand-ins."""

from __future__ import annotations

import argparse
import csv
import io
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.experiments import comparison
from osdpm_plugin.lab.experiments.comparison import finished_results, make_table, notes_of, run_comparison
from osdpm_plugin.lab.experiments.comparison_setting import (
    COMPARED,
    CONFIG_NAMES,
    LEADERS,
    METHOD_NAMES,
    OURS,
    PAIRS,
    Setting,
    options_of,
    schedule_options,
)
from osdpm_plugin.lab.experiments.comparison_table import compare_with_published, render_comparison
from osdpm_plugin.lab.experiments.processes import RunError
from osdpm_plugin.lab.experiments.published_tables import PublishedRow, PublishedTable, read_published
from osdpm_plugin.lab.experiments.summary import compare
from osdpm_plugin.lab.experiments.training_spent import captions_in_step, passes
from osdpm_plugin.launch import add_common_arguments, load_config
from osdpm_plugin.launch.selection import check_selection
from tests.helpers.paths import ROOT
from tests.helpers.results import DATA, by_hand, content, report_of, write

SHIPPED = Setting('ucm', 'published', (*COMPARED, *OURS), (0,), 'work', ROOT / 'configs')


# ---- what was published


@pytest.mark.parametrize('dataset', ['rsicd', 'rsitmd'])
def test_published_numbers_add_up(dataset):
    table = read_published(dataset)
    assert table.split == 'test' and len(table.columns) == 6 and 'doi 10.11999/JEIT240946' in table.source
    assert set(table.rows) == {*COMPARED, *OURS} - {'no_dapn'}
    for method, row in table.rows.items():
        assert len(row.recalls) == 6 and sum(row.recalls) == pytest.approx(row.rsum, abs=0.011)
        assert row.table == ('Table 3' if method in ('plain', 'no_osfcm') else table.rows['osdpm'].table)
        for r1, r5, r10 in (row.recalls[:3], row.recalls[3:]):
            assert 0 < r1 < r5 < r10 < 100


def test_published_numbers_by_hand():
    rsicd, rsitmd = read_published('rsicd'), read_published('rsitmd')
    assert rsicd.rows['osdpm'] == PublishedRow('Table 1', [8.39, 22.20, 33.21, 6.59, 22.92, 36.67], 129.98)
    assert rsicd.rows['vsepp'].recalls == [3.38, 9.51, 17.46, 2.82, 11.32, 18.10]
    assert rsitmd.rows['hvsa'] == PublishedRow('Table 2', [13.20, 32.08, 45.58, 11.43, 39.20, 57.45], 198.94)
    assert rsitmd.rows['no_osfcm'].rsum == 204.28 and rsicd.rows['plain'].rsum == 125.31
    assert read_published('ucm') is None


# ---- configs


@pytest.mark.parametrize(
    'dataset, tower', [(dataset, tower) for tower, datasets in CONFIG_NAMES.items() for dataset in datasets]
)
def test_every_method_has_a_config(dataset, tower):
    setting = SHIPPED._replace(dataset=dataset, tower=tower)
    methods = [method for method in METHOD_NAMES if tower == 'resnet50' or method not in PAIRS]
    paths = [setting.config(method) for method in methods]
    assert len(set(paths)) == len({path.stem for path in paths}) == (20 if tower == 'resnet50' else 17)


def test_methods_without_config(tmp_path):
    with pytest.raises(ConfigError, match='--tower resnet50 has configs for rsicd and ucm, not for rsitmd; use'):
        SHIPPED._replace(dataset='rsitmd', tower='resnet50').config('vsepp')
    with pytest.raises(ConfigError, match=r'vsepp has no config .*comparison/vsepp_ucm\.py; leave it out'):
        SHIPPED._replace(configs=tmp_path).config('vsepp')


def pixel_steps(loader):
    texts = ('SampleCaptions', 'CountObjects', 'TokenizeCaptions')
    return [step.to_dict() for step in loader.dataset.pipeline if step.type not in texts]


@pytest.mark.parametrize('name, released, split', [('ucm', 'ucm', 'test'), ('rsicd150', 'rsicd', 'val')])
def test_one_tower_and_the_released_settings(name, released, split):
    """Rows of tower resnet50 share the tower, so that they share one cache; how a method is trained is its own."""
    ours = Config.fromfile(str(ROOT / 'configs' / 'osdpm_ucm_resnet50_minilm.py'))
    network = ours.model.image_tower.get('tower', ours.model.image_tower)  # components may follow it
    folder = ROOT / 'configs' / 'comparison'
    first = Config.fromfile(str(folder / 'resnet50' / f'vsepp_{name}.py'))
    for method in COMPARED:
        cfg = Config.fromfile(str(folder / 'resnet50' / f'{method}_{name}.py'))
        published = Config.fromfile(str(folder / f'{method}_{released}.py'))
        for key in ('type', 'depth', 'style', 'out_indices', 'init_cfg'):
            assert cfg.model.image_tower[key] == network[key]
        assert cfg.model.image_tower == first.model.image_tower and cfg.model.image_tower.frozen_stages == 4
        assert cfg.model.data_preprocessor == ours.model.data_preprocessor
        for part in ('text_tower', 'text_neck', 'head', 'similarity'):
            assert cfg.model.get(part) == published.model.get(part)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            assert pixel_steps(cfg[loader]) == pixel_steps(ours[loader])
        assert cfg.custom_hooks == first.custom_hooks
        assert cfg.custom_hooks[-1] == dict(type='PatienceHook', monitor='retrieval/mR', epochs=50)
        assert cfg.optim_wrapper == dict(published.optim_wrapper, type='AutocastOptimWrapper')
        assert cfg.param_scheduler == published.param_scheduler
        assert cfg.train_cfg.max_epochs == published.train_cfg.max_epochs
        assert (
            cfg.train_dataloader.batch_size == published.train_dataloader.batch_size == 100 + 156 * (method == 'hvsa')
        )
        assert captions_in_step(cfg) == 1 and passes(cfg, cfg.train_cfg.max_epochs) == (50 if method == 'hvsa' else 70)
        slow = name == 'rsicd150' and method.startswith(('scan', 'camp'))  # their scores of all pairs
        assert passes(cfg, cfg.train_cfg.val_interval) == 1 + slow
        assert cfg.test_dataloader.dataset.split == split and check_selection(cfg) is None


@pytest.mark.parametrize('name', ['ucm', 'rsicd150'])
def test_fair_pairs_differ_in_the_text_side_alone(name):
    folder = ROOT / 'configs' / 'comparison' / 'resnet50'
    ours = Config.fromfile(str(ROOT / 'configs' / f'osdpm_{name}_resnet50_minilm.py'))
    for method in ('vsepp', 'hvsa'):
        row = Config.fromfile(str(folder / f'{method}_{name}.py'))
        pair = Config.fromfile(str(folder / f'{method}_minilm_{name}.py'))
        assert pair.model.text_tower == ours.model.text_tower and pair.model.text_neck.in_channels == 384
        assert [s for s in pair.val_dataloader.dataset.pipeline if s.type == 'TokenizeCaptions'] == [
            s for s in ours.val_dataloader.dataset.pipeline if s.type == 'TokenizeCaptions'
        ]
        for part in ('image_tower', 'neck', 'head', 'data_preprocessor'):
            assert pair.model[part] == row.model[part]
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks'):
            assert pair[key] == row[key]
        assert pair.train_dataloader.batch_size == row.train_dataloader.batch_size
    gru, peer = (Config.fromfile(str(folder / f'{method}_{name}.py')) for method in ('osdpm_gru', 'galr'))
    assert gru.model.text_tower == peer.model.text_tower
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert pixel_steps(gru[loader]) == pixel_steps(ours[loader]) == pixel_steps(peer[loader])
        assert gru[loader].dataset.pipeline[-2] == peer[loader].dataset.pipeline[-2]  # the words
    for part in ('image_tower', 'neck', 'data_preprocessor', 'test_views'):
        assert gru.model[part] == ours.model[part]
    assert gru.model.head.type == ours.model.head.type == 'OSFCMHead' and check_selection(gru) is None
    assert passes(gru, gru.train_cfg.max_epochs) == 30 and gru.custom_hooks[-1].epochs == 50


def overridden(config, options):
    """A config with ``--cfg-options``, as the tools read it."""
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    return load_config(parser.parse_args([str(config), '--work-dir', '/tmp', '--cfg-options', *options]))


def test_schedules_are_compressed_by_hand():
    cfg = Config.fromfile(str(ROOT / 'configs/comparison/resnet50/osdpm_gru_ucm.py'))  # warm-up to 2, cosine to 150
    assert schedule_options(cfg, 50) == [
        'train_cfg.max_epochs=50',
        'param_scheduler.0.begin=0',
        'param_scheduler.0.end=1',  # 2 / 3
        'param_scheduler.1.begin=1',
        'param_scheduler.1.end=50',
        'param_scheduler.1.T_max=49',
    ]
    cfg = Config.fromfile(str(ROOT / 'configs/comparison/vsepp_ucm.py'))  # milestones at 95, 195 and 295 of 350
    assert schedule_options(cfg, 70) == ['train_cfg.max_epochs=70', 'param_scheduler.0.milestones=[19,39,59]']
    config = ROOT / 'configs/comparison/hvsa_ucm.py'  # warm-up to 45, milestones at 95 and 195 of 250
    found = overridden(config, schedule_options(Config.fromfile(str(config)), 50))
    assert found.train_cfg.max_epochs == 50
    assert [found.param_scheduler[0][key] for key in ('begin', 'end')] == [0, 9]
    assert found.param_scheduler[1].milestones == [19, 39] and found.param_scheduler[1].gamma == 0.1
    with pytest.raises(ConfigError, match='--epochs must be a whole number of at least 1, got 0'):
        schedule_options(cfg, 0)


@pytest.mark.parametrize('method, tower', [('vsepp', 'published'), ('hvsa', 'published'), ('osdpm', 'resnet50')])
@pytest.mark.parametrize('epochs', [1, 4, 400])
def test_compressed_schedules_are_valid(method, tower, epochs):
    """They build, and the rate rises to its top and stays within it, however few epochs there are."""
    config = SHIPPED._replace(tower=tower).config(method)
    cfg = overridden(config, schedule_options(Config.fromfile(str(config)), epochs))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    parts = cfg.param_scheduler
    built = [PARAM_SCHEDULERS.build(part, default_args=dict(optimizer=optimizer, epoch_length=5)) for part in parts]
    rates = []
    for _ in range(epochs):
        for _ in range(5):
            rates.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            for scheduler in (s for s in built if not s.by_epoch):
                scheduler.step()
        for scheduler in (s for s in built if s.by_epoch):
            scheduler.step()
    assert all(0 < rate <= 1 + 1e-9 for rate in rates)
    assert max(rates) > (0.7 if epochs > 1 else 0)


def test_at_most_so_many_passes():
    setting = SHIPPED._replace(tower='resnet50', passes=8)
    assert options_of(setting, 'vsepp') == ['train_cfg.max_epochs=40'] and options_of(setting, 'osdpm') == []
    assert options_of(setting._replace(dataset='rsicd'), 'osdpm') == ['train_cfg.max_epochs=8']  # five captions a step
    found = overridden(setting.config('hvsa'), options_of(setting, 'hvsa'))
    assert found.train_cfg.max_epochs == 40 and found.param_scheduler[1].milestones == [95, 195]  # where they were
    found = overridden(setting.config('osdpm_gru'), options_of(setting, 'osdpm_gru'))
    assert found.train_cfg.max_epochs == found.param_scheduler[1].end == 40  # the cosine ends with the training
    with pytest.raises(ConfigError, match='--epochs and --passes exclude each other'):
        options_of(setting._replace(epochs=3), 'vsepp')
    with pytest.raises(ConfigError, match='--passes must be a whole number of at least 1, got 0'):
        options_of(setting._replace(passes=0), 'vsepp')


# ---- the table


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Three seeds of one method, two of another."""
    root = tmp_path_factory.mktemp('runs')
    one = [write(root / f'a{s}', seed=s, name='vsepp_toy', sha256='a' * 64) for s in range(3)]
    two = [write(root / f'b{s}', seed=s, noise=9 + s, name='toy_plain', sha256='b' * 64) for s in range(2)]
    return dict(vsepp=one, plain=two)


COLUMNS = ['i2t R@1', 'i2t R@5', 'i2t R@10', 't2i R@1', 't2i R@5', 't2i R@10']
PUBLISHED = PublishedTable(
    dataset='Toy',
    split='test',
    source='A paper, 2025',
    columns=COLUMNS,
    rows=dict(
        hvsa=PublishedRow('Table 1', [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 21.0),
        vsepp=PublishedRow('Table 1', [1.5, 2.5, 3.5, 4.5, 5.5, 6.5], 24.01),
        osdpm=PublishedRow('Table 7', [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 21.0),
    ),
)
NAMES = dict(hvsa='HVSA', vsepp='VSE++', plain='Plain_1')


def measured(paths, name):
    values = [json.loads(path.read_text())['metrics']['expected'][name] for path in paths]
    return by_hand(values)


def test_markdown_side_by_side(runs):
    table = compare_with_published(NAMES, runs, PUBLISHED, ['A note.'])
    lines = render_comparison(table).splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('|')]
    assert rows[0] == ['method', 'numbers', *COLUMNS, 'Rsum', 'mR', 'seeds'] and len({len(row) for row in rows}) == 1
    assert rows[2] == ['HVSA', 'published', '1.00', '2.00', '3.00', '4.00', '5.00', '6.00', '21.00', '3.50', '']
    assert rows[3] == ['', 'measured', *['–'] * 8, '0']
    assert rows[4][:3] == ['VSE++', 'published', '1.50'] and rows[4][8:] == ['24.01', '4.00', '']
    mean, std = measured(runs['vsepp'], 't2i_R@5')
    assert rows[5][:2] == ['', 'measured'] and rows[5][6] == f'{mean:.2f} ± {std:.2f}' and rows[5][-1] == '3'
    mean, std = measured(runs['plain'], 'mR')
    assert rows[6][:2] == ['Plain_1', 'measured'] and rows[6][-2:] == [f'{mean:.2f} ± {std:.2f}', '2']
    assert len(rows) == 7
    notes = lines[lines.index('') + 1 :]
    for words in ('split test (10 images, 30 captions', 'n = 2, 3', 'Ties: expected', 'best retrieval/mR on val'):
        assert any(words in note for note in notes)
    assert notes[-2] == 'A note.  '
    assert notes[-1] == 'Published: A paper, 2025, Table 1, Toy split test. mR of published rows is Rsum / 6.'


def test_what_training_took_and_who_leads(tmp_path):
    """Columns by hand; the lead is the paired interval of the seeds that both rows have."""

    def info(seed, stopped=True):
        return dict(
            passes=10.0 + seed, epochs=60 if stopped else 150, steps=800, minutes=3.25 * (seed + 1), stopped=stopped
        )

    paths = {
        'vsepp': [write(tmp_path / f'v{s}', seed=s, name='v', noise=9 + s, training=info(s)) for s in (0, 1)],
        'osdpm_gru': [
            write(tmp_path / f'g{s}', seed=s, name='g', sha256='a' * 64, training=info(s, s == 1)) for s in (0, 1, 2)
        ],
        'hvsa': [],
    }
    setting = SHIPPED._replace(tower='resnet50', methods=('vsepp', 'hvsa', 'osdpm_gru', 'osdpm'))
    table = make_table(setting, paths)
    first, second, third, fourth = table.rows
    assert first.spent == [10.5, 800, 4.875] and third.spent == [11, 800, 6.5] and second.spent is fourth.spent is None
    expected = compare(paths['osdpm_gru'][:2], paths['vsepp'])['difference']['Rsum']
    assert first.lead._asdict() == expected and second.lead is third.lead is fourth.lead is None
    lines = render_comparison(table).splitlines()
    assert lines[0].endswith('| Rsum | mR | lead of OSDPM | passes | steps | minutes | seeds |')
    assert lines[2].endswith(f'| {first.lead} | 10.5 | 800 | 4.9 | 2 |')
    assert lines[3] == '| HVSA ' + '| – ' * 8 + '|  |  |  |  | 0 |' and lines[4].endswith('|  | 11.0 | 800 | 6.5 | 3 |')
    row = next(csv.DictReader(io.StringIO(render_comparison(table, 'csv'))))
    assert (row['passes'], row['lead of OSDPM low']) == ('10.5', f'{expected["low"]:.4f}')
    text = ' '.join(table.notes)
    assert 'mR still rising within the last ones: OSDPM with a GRU (2 of 3 seeds).' in text
    ahead = expected['low'] > 0
    assert f'OSDPM with a GRU leads {int(ahead)} of 1 rows with its text tower by an interval above zero' in text
    assert ('; not VSE++.' in text) is not ahead
    assert set(LEADERS) == set(METHOD_NAMES) - {'osdpm', 'osdpm_gru'}


def test_nothing_published_and_nothing_measured(runs):
    rows = render_comparison(compare_with_published(NAMES, runs, None)).splitlines()
    assert rows[0].count('|') == rows[2].count('|') == 11 and 'published' not in ' '.join(rows).lower()
    assert rows[2] == '| HVSA | ' + '– | ' * 8 + '0 |'
    text = render_comparison(compare_with_published(dict(hvsa='HVSA'), {}, PUBLISHED))
    assert '| HVSA | published | 1.00 |' in text and 'n = ' not in text and text.count('Published:') == 1


def test_csv_and_latex(runs):
    table = compare_with_published(NAMES, runs, PUBLISHED)
    rows = {row['method']: row for row in csv.DictReader(io.StringIO(render_comparison(table, 'csv')))}
    mean, std = measured(runs['vsepp'], 'Rsum')
    assert list(rows) == ['HVSA', 'VSE++', 'Plain_1'] and rows['VSE++']['seeds'] == '0 1 2'
    assert rows['VSE++']['Rsum published'] == '24.01' and rows['Plain_1']['Rsum published'] == ''
    assert float(rows['VSE++']['Rsum mean']) == pytest.approx(mean, abs=1e-4)
    assert float(rows['VSE++']['Rsum std']) == pytest.approx(std, abs=1e-4)
    assert rows['HVSA']['mR published'] == '3.50' and rows['HVSA']['mR mean'] == rows['HVSA']['seeds'] == ''
    latex = render_comparison(table, 'latex')
    body = [line for line in latex.splitlines() if line.endswith('\\\\')]
    assert len(body) == 6 and {line.count('&') for line in body} == {10}
    assert f'{mean:.2f} $\\pm$ {std:.2f}' in latex and 'Plain\\_1' in latex and '±' not in latex and '–' not in latex
    with pytest.raises(ConfigError, match="format='html' must be one of"):
        render_comparison(table, 'html')


def test_what_does_not_compare(tmp_path, runs):
    other = write(tmp_path / 'k', name='vsepp_toy', options=dict(topk=(1, 2)))
    with pytest.raises(DataError, match=r'evaluate with topk=\(1, 5, 10\)'):
        compare_with_published(NAMES, dict(vsepp=[other]), PUBLISHED)
    other = write(tmp_path / 'd', name='toy_plain', data=dict(DATA, sha256='1' * 64))
    with pytest.raises(DataError, match='differ in data'):
        compare_with_published(NAMES, dict(runs, plain=[other]), PUBLISHED)
    on_val = write(tmp_path / 'v', name='vsepp_toy', data=dict(DATA, split='val'))
    notes = compare_with_published(NAMES, dict(vsepp=[on_val]), PUBLISHED).notes
    assert 'measured on split val, so compare within published and within measured rows, not across' in notes[-1]


def test_notes():
    setting = SHIPPED._replace(methods=('vsepp', 'lw_mcr_d', 'osdpm'), tower='resnet50', seeds=(4, 5), cache='cache')
    text = ' '.join(notes_of(setting))
    for words in (
        'frozen ImageNet ResNet-50 in place of the published ones (LW-MCR keeps its text side and losses alone)',
        'not augmented.',
        'five epochs of one. Passes at most: 70 (all but OSDPM); 6 (OSDPM).',
        'has not risen for so many passes: 10 (all but OSDPM).',
        'Captions of an image in a step: 1.',
        'Images in a batch: 100 (all but OSDPM); 256 (OSDPM).',
        'Trained in mixed precision.',
        'LW-MCR(d): the teacher is AMFMN-soft, seed 4.',
    ):
        assert words in text
    assert 'optimistic' not in text and '150 px' not in text
    text = ' '.join(notes_of(setting._replace(epochs=7, cache=None)))
    assert 'Passes at most: 1.4.' in text and 'augmented' not in text
    assert 'CUT SHORT by --epochs 7, so not what these rows reach when trained to their end.' in text
    text = ' '.join(notes_of(setting._replace(passes=20)))
    assert 'Passes at most: 20 (all but OSDPM); 6 (OSDPM).' in text
    assert 'CUT SHORT by --passes 20, so not what these rows reach when trained to their end (all but OSDPM).' in text
    assert 'batch: 64.' in ' '.join(notes_of(setting._replace(options=('train_dataloader.batch_size=64',))))
    rsicd = setting._replace(dataset='rsicd')
    assert 'in a step: 1 (all but OSDPM); 5 (OSDPM).' in ' '.join(notes_of(rsicd))
    setting = rsicd._replace(methods=('vsepp',))
    assert 'optimistic' not in ' '.join(notes_of(setting)) and '150 px' in ' '.join(notes_of(setting))
    text = ' '.join(notes_of(setting._replace(split='test')))
    assert 'optimistic' not in text and '150 px' not in text
    assert 'CLIP' in next(notes_of(SHIPPED)) and 'optimistic' in ' '.join(notes_of(SHIPPED._replace(split='val')))


# ---- what is run

CONFIG = """
randomness = dict(seed=0)
default_hooks = dict(checkpoint=dict(type='SafeCheckpointHook', save_best='retrieval/mR'))
model = dict(teacher=dict(config='', checkpoint=''))
train_cfg = dict(max_epochs=4)
train_dataloader = dict(batch_size=8, dataset=dict(split='train', pipeline=[dict(type='SampleCaptions')]))
width = 1
val_dataloader = dict(dataset=dict(split='val'))
test_dataloader = dict(dataset=dict(split='test'))
"""
HEAD = """
import json, os, shutil, sys
arguments = sys.argv[1:]
with open(os.environ['CALLS'], 'a') as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *arguments]) + '\\n')
work = arguments[arguments.index('--work-dir') + 1]
if os.environ.get('STOP', 'never') in work:
    sys.exit('killed')
"""
TRAIN = HEAD + "open(work + '/best_retrieval_mR_epoch_1.pth', 'w').write('weights')\n"
TEST = (
    HEAD
    + """
state = json.load(open(work + '/state.json'))
template = os.environ['TEMPLATE']
result = json.load(open(template + '/result.json'))
result['seed'] = state['seed']
result['config'] = dict(name=os.path.basename(arguments[0])[:-3], sha256=state['config_sha256'])
json.dump(result, open(work + '/test_results.json', 'w'))
shutil.copy(template + '/test_queries.npz', work)
"""
)
FIT = HEAD + "open('fitted.pth', 'w').write('components')\n"
CACHE = HEAD + "open(arguments[arguments.index('--out') + 1], 'w').write('complete')\n"


@pytest.fixture
def stand(tmp_path, monkeypatch):
    """Configs of four methods on two towers, and tools that take no time; ``stand.calls()`` are theirs so far."""

    class Stand:
        tools = tmp_path / 'tools'
        setting = Setting('ucm', 'published', ('vsepp', 'lw_mcr_d', 'plain'), (0, 1), 'work', tmp_path / 'configs')

        def calls(self):
            path = tmp_path / 'calls'
            return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

        def names(self):
            """What was run, e.g. 'train vsepp_ucm 0'."""
            return [self.name(call) for call in self.calls()]

        def name(self, call):
            seed = call[-1].partition('randomness.seed=')[2]
            return ' '.join([call[0][: -len('.py')], Path(call[1]).stem, *([seed] if seed else [])])

    monkeypatch.chdir(tmp_path)
    for file in ('vsepp_ucm', 'lw_mcr_d_ucm', 'amfmn_soft_ucm'):
        for folder in ('comparison', 'comparison/resnet50'):
            path = tmp_path / 'configs' / folder / f'{file}.py'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(CONFIG)
    (tmp_path / 'configs/ablations').mkdir()
    for file in ('ablations/ucm_plain', 'ablations/ucm_resnet50_minilm_plain'):
        (tmp_path / 'configs' / f'{file}.py').write_text(CONFIG)
    Stand.tools.mkdir()
    for name, text in (('train', TRAIN), ('test', TEST), ('cache_features', CACHE), ('fit_compression', FIT)):
        (Stand.tools / f'{name}.py').write_text(text)
    report = report_of(tmp_path / 'template')
    (tmp_path / 'template' / 'result.json').write_text(json.dumps(content(report)))
    monkeypatch.setenv('CALLS', str(tmp_path / 'calls'))
    monkeypatch.setenv('TEMPLATE', str(tmp_path / 'template'))
    return Stand()


def test_seed_after_seed_and_the_teacher_first(stand):
    results = run_comparison(stand.setting, stand.tools)
    order = ['amfmn_soft_ucm 0', 'vsepp_ucm 0', 'ucm_plain 0', 'vsepp_ucm 1', 'ucm_plain 1']
    order += ['lw_mcr_d_ucm 0', 'lw_mcr_d_ucm 1']
    assert stand.names() == [f'{tool} {job}' for job in order for tool in ('train', 'test')]
    for call in stand.calls()[-4:]:
        checkpoint = next(part for part in call if part.startswith('model.teacher.checkpoint=')).partition('=')[2]
        assert checkpoint.endswith('ucm_published/amfmn_soft_ucm/seed_0/best_retrieval_mR_epoch_1.pth')
        assert 'model.teacher.config=configs/comparison/amfmn_soft_ucm.py' in call
    assert {method: len(paths) for method, paths in results.items()} == dict(vsepp=2, lw_mcr_d=2, plain=2)
    table = make_table(stand.setting, results)
    assert [row.name for row in table.rows] == ['VSE++', 'LW-MCR(d)', 'OSDPM without DAPN and OSFCM']
    assert all(row.measured.seeds == [0, 1] for row in table.rows)

    before = stand.calls()
    assert run_comparison(stand.setting, stand.tools) == results == finished_results(stand.setting)
    assert stand.calls() == before


def test_an_interruption_leaves_a_table_of_what_is_finished(stand, monkeypatch):
    assert finished_results(stand.setting) == dict(vsepp=[], lw_mcr_d=[], plain=[])
    monkeypatch.setenv('STOP', 'vsepp_ucm/seed_1')
    with pytest.raises(RunError, match='train of vsepp_ucm seed 1 ended with exit code 1: "killed"'):
        run_comparison(stand.setting, stand.tools)
    found = finished_results(stand.setting)
    assert {method: len(paths) for method, paths in found.items()} == dict(vsepp=1, lw_mcr_d=0, plain=1)
    rows = make_table(stand.setting, found).rows
    assert [row.measured and row.measured.seeds for row in rows] == [[0], None, [0]]
    monkeypatch.delenv('STOP')
    done = stand.calls()[:-1]
    run_comparison(stand.setting, stand.tools)
    again = stand.calls()[len(done) + 1 :]
    assert not [call for call in again if call in done]


def test_options_reach_the_tools(stand):
    setting = stand.setting._replace(methods=('vsepp',), seeds=(3,), epochs=2, data_root='elsewhere', split='val')
    run_comparison(setting, stand.tools)
    for call in stand.calls():
        for option in (
            'train_cfg.max_epochs=2',
            'train_dataloader.dataset.data_root=elsewhere',
            'val_dataloader.dataset.data_root=elsewhere',
            'test_dataloader.dataset.data_root=elsewhere',
            'test_dataloader.dataset.split=val',
            'select_on_test=True',
        ):
            assert option in call
    with pytest.raises(ConfigError, match='holds a run of another config .*name another --work-dir'):
        run_comparison(setting._replace(epochs=3), stand.tools)


def test_caches_are_made_once_and_used(stand, monkeypatch):
    class Store:
        """Complete once the stand-in has written it."""

        def __init__(self, root, split):
            if not Path(root).is_file():
                raise DataError('not there')

    monkeypatch.setattr(comparison, 'FeatureStore', Store)
    Path('cache').mkdir()
    methods = ('vsepp', 'amfmn_soft', 'lw_mcr_d', 'plain')
    setting = stand.setting._replace(tower='resnet50', methods=methods, seeds=(0,), cache='cache')
    run_comparison(setting, stand.tools)
    assert stand.names()[:2] == ['cache_features vsepp_ucm', 'cache_features ucm_resnet50_minilm_plain']
    first, second, *rest = stand.calls()
    assert first[first.index('--out') + 1] == 'cache/ucm_images' and second[second.index('--out') + 1] == 'cache/ucm'
    assert all('--grid' in call and call[call.index('--grid') + 1] == 'coarsest' for call in (first, second))
    caches = {
        Path(call[1]).stem: [part.partition('=')[2] for part in call if part.startswith('feature_cache=')]
        for call in rest
    }
    assert caches == dict(
        vsepp_ucm=['cache/ucm_images'],
        amfmn_soft_ucm=['cache/ucm_images'],
        lw_mcr_d_ucm=['cache/ucm_images'],
        ucm_resnet50_minilm_plain=['cache/ucm'],
    )
    run_comparison(setting._replace(work_dir='other'), stand.tools)
    assert [name for name in stand.names() if name.startswith('cache')] == stand.names()[:2]
    count = len(stand.calls())
    run_comparison(setting._replace(work_dir='live', cache=None, methods=('vsepp',)), stand.tools)
    assert not any('feature_cache' in part for call in stand.calls()[count:] for part in call)


def test_components_are_fitted_once(stand):
    compressed = """
model = dict(test_views=4, image_tower=dict(type='CompressedTower', init_cfg=dict(checkpoint='fitted.pth')))
"""
    (stand.setting.configs / 'ablations/ucm_resnet50_minilm_plain.py').write_text(CONFIG + compressed)
    setting = stand.setting._replace(tower='resnet50', methods=('plain', 'vsepp'), seeds=(0,), options=('width=3',))
    run_comparison(setting, stand.tools)
    order = ['fit_compression ucm_resnet50_minilm_plain']
    order += [f'{tool} {name} 0' for name in ('ucm_resnet50_minilm_plain', 'vsepp_ucm') for tool in ('train', 'test')]
    assert stand.names() == order and all('width=3' in call for call in stand.calls())
    run_comparison(setting._replace(work_dir='other'), stand.tools)
    assert stand.names()[len(order) :] == order[1:]
    assert 'turns of each image (OSDPM without DAPN and OSFCM).' in ' '.join(notes_of(setting))


def test_a_missing_config_is_found_before_anything_runs(stand):
    with pytest.raises(ConfigError, match='hvsa has no config'):
        run_comparison(stand.setting._replace(methods=('vsepp', 'hvsa')), stand.tools)
    assert stand.calls() == []
