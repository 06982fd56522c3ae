"""All methods of the published tables on one set -> trainings and evaluations -> one table; resumable.

::

    <work dir>/<set>_<tower>/<config>/seed_<n>/    written by `seeds`
    <work dir>/<set>_<tower>/table.{md,csv,tex}    written by `comparison_table`
    <cache>/<set>_images, <cache>/<set>            features of the frozen towers (tower ``resnet50``)

A teacher is trained before its student; one teacher, of the first seed, serves all seeds of the student.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...errors import DataError
from ...features.store import FeatureStore
from ...launch import overrides_of
from .comparison_setting import CONFIG_NAMES, LEADERS, METHOD_NAMES, TEACHERS, Setting, most_epochs, options_of
from .comparison_table import ComparisonTable, compare_with_published, lead_notes
from .processes import Command, run_commands
from .published_tables import read_published
from .schema import read_result
from .seeds import Job, chosen_checkpoint, finished, plan, run_jobs
from .training_spent import captions_in_step, passes

TOWER_NOTES = {
    'published': 'Towers: as each method was published, see its config; rows of OSDPM: frozen CLIP ViT-B/32.',
    'resnet50': 'Image tower of every row: one frozen ImageNet ResNet-50 in place of the published ones (LW-MCR keeps '
    'its text side and losses alone); rows of OSDPM: principal components of the same. Text towers: each its own, '
    'trained from scratch on whole words; rows of OSDPM and those with MiniLM: frozen MiniLM, pretrained; OSDPM with a '
    'GRU: that of AMFMN, GaLR and HVSA, from scratch.',
}


def plan_method(setting: Setting, method: str, extra: Sequence[str] = ()) -> list[Job]:
    """Jobs of a method, one for each seed; see `seeds.plan` for what is checked."""
    cache = setting.cache_of(method)
    options = [*options_of(setting, method), *extra, *([] if cache is None else [f'feature_cache={cache}'])]
    return plan([str(setting.config(method))], setting.seeds, str(setting.folder), options)[0]


def plan_student(setting: Setting, method: str, teacher: Job) -> list[Job]:
    """Jobs of a method that learns from a finished job."""
    extra = [f'model.teacher.config={teacher.config}', f'model.teacher.checkpoint={chosen_checkpoint(teacher)}']
    return plan_method(setting, method, extra)


def run_comparison(setting: Setting, tools: Path, *, gpus: int = 1) -> dict[str, list[Path]]:
    """Train and evaluate all methods and seeds that are not finished.

    Args:
        tools: folder of train.py, test.py, fit_compression.py and cache_features.py.

    Returns:
        Method -> result files, one for each seed.

    Raises:
        OSDPMError: an argument cannot be used, or a run failed; the same command continues from there.
    """
    for method in setting.methods:
        options_of(setting, method)  # raises errors before any training
    students = [method for method in setting.methods if method in TEACHERS]
    teachers = {TEACHERS[method]: setting._replace(seeds=setting.seeds[:1]) for method in students}
    prepare_features(dict.fromkeys([*setting.methods, *teachers]), setting, tools)
    jobs = {method: plan_method(setting, method) for method in setting.methods if method not in students}
    taught = {teacher: plan_method(one, teacher)[0] for teacher, one in teachers.items()}
    missing = [job for teacher, job in taught.items() if teacher not in jobs]
    run_jobs([*missing, *_by_seed(jobs)], tools, gpus=gpus)
    later = {method: plan_student(setting, method, taught[TEACHERS[method]]) for method in students}
    run_jobs(_by_seed(later), tools, gpus=gpus)
    jobs.update(later)
    return {method: [job.result_file for job in jobs[method]] for method in setting.methods}


def finished_results(setting: Setting) -> dict[str, list[Path]]:
    """Method -> result files of the seeds that are finished; nothing is run.

    Raises:
        ConfigError: an argument cannot be used, see `seeds.plan`.
    """
    found = {}
    for method in setting.methods:
        if method in TEACHERS:
            teacher = plan_method(setting._replace(seeds=setting.seeds[:1]), TEACHERS[method])[0]
            jobs = plan_student(setting, method, teacher) if finished(teacher) else []
        else:
            jobs = plan_method(setting, method)
        found[method] = [job.result_file for job in jobs if finished(job)]
    return found


def _by_seed(jobs: Mapping[str, list[Job]]) -> list[Job]:
    """The first seed of all methods, then the second, so that an interruption leaves complete tables."""
    return [job for seed in zip(*jobs.values()) for job in seed]


def prepare_features(methods: Iterable[str], setting: Setting, tools: Path) -> None:
    """Fit the components of a `CompressedTower` and fill the caches of features, if that is not done yet."""
    for method in methods:
        config = setting.config(method)
        tower = Config.fromfile(str(config)).get('model', {}).get('image_tower', {})
        options = options_of(setting._replace(epochs=None, passes=None), method)
        common = ['--work-dir', str(setting.folder), *(['--cfg-options', *options] if options else [])]
        if tower.get('type') == 'CompressedTower' and not Path(tower.init_cfg.checkpoint).is_file():
            _run_once(setting, 'fit_compression', [str(tools / 'fit_compression.py'), str(config), *common])
        cache = setting.cache_of(method)
        if cache is not None and not _is_complete(cache, setting, method):
            script = [str(tools / 'cache_features.py'), str(config), '--out', cache, '--grid', 'coarsest', '--bf16']
            _run_once(setting, f'cache_{Path(cache).name}', [*script, *common])


def _run_once(setting: Setting, name: str, arguments: list[str]) -> None:
    run_commands([(name, iter([Command(arguments, setting.folder / f'{name}.log')]))])


def _is_complete(cache: str, setting: Setting, method: str) -> bool:
    cfg = Config.fromfile(str(setting.config(method)))
    try:
        splits = [cfg[f'{loader}_dataloader'].dataset.split for loader in ('train', 'val', 'test')]
        for split in {*splits[:2], setting.split or splits[2]}:
            FeatureStore(cache, split)
    except DataError:
        return False
    return True


def notes_of(setting: Setting) -> Iterator[str]:
    """Sentences about towers, budget and data, to be printed below the table."""
    yield TOWER_NOTES[setting.tower]
    cached = [method for method in setting.methods if setting.cache_of(method)]
    if cached:
        yield f'Features were cached once, so that training images were not augmented{_whose(cached, setting)}.'
    cfgs = {method: _config(setting, method) for method in setting.methods}
    most = {
        method: f'{passes(cfg, most_epochs(setting, method) or cfg.train_cfg.max_epochs):g}'
        for method, cfg in cfgs.items()
    }
    yield (
        'A pass shows every training image with all its captions: one epoch of five captions of an image in a step, or '
        f'five epochs of one. Passes at most: {_grouped(most, setting)}.'
    )
    patient = [method for method, cfg in cfgs.items() if _patience(cfg)]
    if patient:
        length = {method: f'{passes(cfgs[method], _patience(cfgs[method])):g}' for method in patient}
        yield (
            'A training ends when mR on the split that chooses the checkpoint has not risen for so many passes: '
            f'{_grouped(length, setting._replace(methods=tuple(patient)))}{_whose(patient, setting)}.'
        )
    cut = [method for method in setting.methods if most_epochs(setting, method) is not None]
    if cut:
        what = f'--epochs {setting.epochs}' if setting.passes is None else f'--passes {setting.passes}'
        yield f'CUT SHORT by {what}, so not what these rows reach when trained to their end{_whose(cut, setting)}.'
    captions = {method: captions_in_step(cfg) for method, cfg in cfgs.items()}
    yield f'Captions of an image in a step: {_grouped(captions, setting)}.'
    batches = {method: cfg.train_dataloader.batch_size for method, cfg in cfgs.items()}
    yield f'Images in a batch: {_grouped(batches, setting)}.'
    halved = [
        method for method, cfg in cfgs.items() if cfg.get('optim_wrapper', {}).get('type') == 'AutocastOptimWrapper'
    ]
    if halved:
        yield f'Trained in mixed precision{_whose(halved, setting)}.'
    turned = [method for method, cfg in cfgs.items() if cfg.get('model', {}).get('test_views', 1) > 1]
    if turned:
        yield (
            'In training one of several turns, at test the mean over several turns of each image'
            f'{_whose(turned, setting)}.'
        )
    for student in [method for method in setting.methods if method in TEACHERS]:
        yield f'{METHOD_NAMES[student]}: the teacher is {METHOD_NAMES[TEACHERS[student]]}, seed {setting.seeds[0]}.'
    if any(c.val_dataloader.dataset.split == (setting.split or c.test_dataloader.dataset.split) for c in cfgs.values()):
        yield 'Val chooses the checkpoint and is reported too, so the numbers are optimistic.'
    if CONFIG_NAMES[setting.tower][setting.dataset] == 'rsicd150' and setting.split != 'test':
        yield 'Measured on a part of RSICD, at 150 px; published numbers are of all of it, at 224 px.'


def _config(setting: Setting, method: str) -> Config:
    """A method's config with the setting's own options."""
    cfg = Config.fromfile(str(setting.config(method)))
    cfg.merge_from_dict(overrides_of(setting.options))
    return cfg


def _patience(cfg: Config) -> int:
    """Epochs of `PatienceHook`; 0 without one."""
    return next((hook.epochs for hook in cfg.get('custom_hooks') or [] if hook.type == 'PatienceHook'), 0)


def _grouped(values: Mapping[str, Any], setting: Setting) -> str:
    """``6 (all but A); 15 (A)``: each value with the rows that have it."""
    groups: dict[Any, list[str]] = {}
    for method, value in values.items():
        groups.setdefault(value, []).append(method)
    return '; '.join(f'{value}{_whose(group, setting)}' for value, group in groups.items())


def _whose(methods: Sequence[str], setting: Setting) -> str:
    """In brackets, the rows that a sentence is about; nothing if it is about all of them."""
    others = [METHOD_NAMES[method] for method in setting.methods if method not in methods]
    if not others:
        return ''
    names = [METHOD_NAMES[method] for method in methods]
    return f' ({", ".join(names)})' if len(names) <= len(others) else f' (all but {", ".join(others)})'


def make_table(setting: Setting, results: Mapping[str, Sequence[Path]]) -> ComparisonTable:
    """A table of published and measured numbers.

    Args:
        results: from `run_comparison` or `finished_results`.

    Raises:
        DataError: result files do not belong together.
    """
    names = {method: METHOD_NAMES[method] for method in setting.methods}
    leaders = {row: leader for row, leader in LEADERS.items() if row in names and leader in names}
    notes = [*notes_of(setting), *_cap_note(setting, results)]
    table = compare_with_published(names, results, read_published(setting.dataset), notes, leaders)
    about = lead_notes(table, {names[row]: names[leader] for row, leader in leaders.items()})
    return table._replace(notes=[*table.notes, *about])


def _cap_note(setting: Setting, results: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    """Which trainings that could have ended by patience did not, and why."""
    capped: list[str] = []
    cut: list[str] = []
    for method in setting.methods:
        cfg = _config(setting, method)
        runs = [read_result(path).training for path in results.get(method, ())]
        ran = [run for run in runs if run is not None and not run.stopped]
        if ran and _patience(cfg):
            short = ran[0].epochs < cfg.train_cfg.max_epochs
            text = f'{METHOD_NAMES[method]} ({len(ran)} of {len(runs)} seeds'
            text += f', {ran[0].passes:g} of {passes(cfg, cfg.train_cfg.max_epochs):g} passes)' if short else ')'
            (cut if short else capped).append(text)
    if capped:
        yield f'Ran to the greatest number of passes, mR still rising within the last ones: {", ".join(capped)}.'
    if cut and setting.epochs is setting.passes is None:
        yield f'CUT SHORT before mR had stopped rising: {", ".join(cut)}.'
