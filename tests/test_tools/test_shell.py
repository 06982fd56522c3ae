"""The shell tools: what they call, with which arguments, and what they say; `python`, `srun` and pip are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.paths import ROOT

SCRIPTS = [*sorted(ROOT.glob('tools/*.sh')), ROOT / '.ci' / 'run']

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

RECORD = r"""#!/usr/bin/env bash
printf '%s\0' "$@" >"$RECORDED"
printf '%s' "$PYTHONPATH" >"$RECORDED.path"
"""


def bash(*command: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess:
    """Run a script of bash with nothing of our settings in its environment."""
    ours = ('STACK', 'PYTHON', 'PYTHONPATH', 'GPUS', 'PORT', 'NNODES')
    clean = {key: value for key, value in os.environ.items() if not key.startswith('OSDPM_') and key not in ours}
    clean.update(env)
    return subprocess.run(['bash', *command], cwd=cwd, env=clean, capture_output=True, text=True, check=False)


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def recorder(tmp_path):
    """Stand-ins for `python` and `srun` on PATH that write their arguments to a file; returns a function that runs."""
    for name in ('python', 'srun'):
        write_program(tmp_path / 'bin' / name, RECORD)

    def run(*command: str, **env: str) -> list[str]:
        out = tmp_path / 'recorded'
        path = f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}'
        done = bash(*command, PATH=path, RECORDED=str(out), **env)
        assert done.returncode == 0, done.stderr
        return out.read_text().split('\0')[:-1]

    return run


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_syntax(script):
    done = bash('-n', str(script))
    assert done.returncode == 0, done.stderr
    if shutil.which('shellcheck'):
        subprocess.run(['shellcheck', '-x', str(script)], check=True, cwd=ROOT)


def test_dist_train(recorder):
    arguments = recorder('tools/dist_train.sh', 'configs/a b.py', '4', '--amp', '--cfg-options', 'x=a b')
    started = '-m torch.distributed.run --nnodes=1 --node_rank=0 --master_addr=127.0.0.1 --master_port=29500'
    tool = ['tools/train.py', 'configs/a b.py', '--launcher', 'pytorch', '--amp', '--cfg-options', 'x=a b']
    assert arguments == [*started.split(), '--nproc_per_node=4', *tool]


def test_dist_train_on_several_machines(recorder):
    machines = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    arguments = recorder('tools/dist_train.sh', 'c.py', '8', **machines)
    want = '--nnodes=2 --node_rank=1 --master_addr=10.0.0.1 --master_port=1234 --nproc_per_node=8'
    assert arguments[2:7] == want.split()


def test_dist_test(recorder):
    arguments = recorder('tools/dist_test.sh', 'c.py', 'w.pth', '2', '--out', 'r.pkl')
    want = '--nproc_per_node=2 tools/test.py c.py w.pth --launcher pytorch --out r.pkl'
    assert arguments[6:] == want.split()


def test_slurm(recorder):
    settings = dict(GPUS='16', CPUS_PER_TASK='6', SRUN_ARGS='--time=1:00 --quotatype=auto', PYTHON='python')
    arguments = recorder('tools/slurm_train.sh', 'gpu', 'job', 'c.py', 'work dir', '--resume', **settings)
    asked = '-p gpu --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8 --cpus-per-task=6'
    started = '--kill-on-bad-exit=1 --time=1:00 --quotatype=auto python -u tools/train.py c.py'
    assert arguments == [*asked.split(), *started.split(), '--work-dir=work dir', '--launcher=slurm', '--resume']


def test_slurm_on_a_part_of_a_machine(recorder):
    arguments = recorder('tools/slurm_train.sh', 'gpu', 'job', 'c.py', 'w', GPUS='2')
    assert '--gres=gpu:2' in arguments and '--ntasks-per-node=2' in arguments and '' not in arguments


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [('dist_train', ['c.py']), ('dist_test', ['c.py', 'w.pth']), ('slurm_train', ['gpu', 'job', 'c.py'])],
)
def test_usage(script, arguments):
    done = bash(f'tools/{script}.sh', *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: bash tools/{script}.sh ') and len(done.stderr.splitlines()) == 1


# --- environment.sh, run_tests.sh and quickstart.sh, in a small copy of the repository

FAKE_PYTHON = """#!/usr/bin/env bash
# A python whose venv, pip and pytest are noted in $LOG instead of run.
case "$*" in
    *'-m venv '*)
        echo "venv $*" >>"$LOG"
        mkdir -p "${@: -1}/bin"
        cp "$0" "${@: -1}/bin/python" ;;
    *'-m pip install'*)
        echo "pip $*" >>"$LOG"
        exit "${PIP_EXIT:-0}" ;;
    *'-m pytest'*)
        echo "pytest $*" >>"$LOG"
        echo '3 passed in 0.10s' ;;
    *tools/train.py*)
        echo "train $*" >>"$LOG"
        if [ -n "${TRAIN_EXIT:-}" ]; then
            mkdir -p work_dirs/osdpm_scenes
            echo work_dirs/osdpm_scenes/epoch_1.pth >work_dirs/osdpm_scenes/last_checkpoint
            exit "$TRAIN_EXIT"
        fi
        mkdir -p work_dirs/osdpm_scenes
        touch work_dirs/osdpm_scenes/best_mR_epoch_3.pth ;;
    *tools/test.py*)
        echo "test $*" >>"$LOG"
        echo 'the recall table' ;;
    *tools/visualize/gallery.py*)
        echo "gallery $*" >>"$LOG" ;;
    *)
        exec REAL "$@" ;;
esac
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the scripts with a stand-in for python; returns (folder, run, log)."""
    root = tmp_path / 'a checkout'
    shutil.copytree(ROOT / 'tools', root / 'tools', ignore=shutil.ignore_patterns('*.py', '__pycache__'))
    for name in ('setup.cfg', 'setup.py', 'pyproject.toml'):
        shutil.copy(ROOT / name, root / name)
    python = write_program(tmp_path / 'bin' / 'python3', FAKE_PYTHON.replace('REAL', sys.executable))
    log = tmp_path / 'log'

    def run(*command: str, **env: str) -> subprocess.CompletedProcess:
        return bash(*command, cwd=root, **{'LOG': str(log), 'PYTHON': str(python), **env})

    return root, run, lambda: log.read_text().splitlines() if log.exists() else []


def verbs(log) -> list[str]:
    return [line.split()[0] for line in log()]


def test_environment_is_made_once_and_reused(copy):
    root, run, log = copy
    first = run('tools/run_tests.sh', '-k', 'some thing')
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == '3 passed in 0.10s'
    assert verbs(log) == ['venv', 'pip', 'pytest']
    assert '-c tools/constraints/onedl.txt -e .[onedl,archive,dev]' in log()[1]
    second = run('tools/run_tests.sh')
    assert 'is up to date and reused' in second.stdout
    assert verbs(log) == ['venv', 'pip', 'pytest', 'pytest']


def test_environment_follows_a_change_of_requirements(copy):
    root, run, log = copy
    run('tools/run_tests.sh')
    with (root / 'tools/constraints/onedl.txt').open('a') as file:
        file.write('# changed\n')
    run('tools/run_tests.sh')
    assert verbs(log) == ['venv', 'pip', 'pytest', 'pip', 'pytest']


def test_the_quick_start_installs_no_extra_and_the_tests_add_theirs(copy):
    _, run, log = copy
    run('tools/quickstart.sh')
    assert log()[1].endswith('-c tools/constraints/onedl.txt -e .[onedl]')
    run('tools/run_tests.sh')
    assert verbs(log)[5:] == ['pip', 'pytest'] and log()[5].endswith('-e .[onedl,archive,dev]')
    assert 'is up to date and reused' in run('tools/quickstart.sh').stdout
    assert 'is up to date and reused' in run('tools/run_tests.sh').stdout


def test_extras_stay(copy):
    root, run, log = copy
    environment = 'source tools/environment.sh; osdpm_environment onedl'
    for extras in ('b', 'c,a', 'b,c', 'a'):
        done = run('-c', f'{environment} {extras}')
        assert done.returncode == 0 and done.stderr == ''
    assert [line.rpartition(' ')[2] for line in log()[1:]] == ['.[onedl,b]', '.[onedl,a,b,c]']
    with (root / 'setup.cfg').open('a') as file:
        file.write('# changed\n')
    run('-c', environment)
    assert log()[-1].endswith('.[onedl,a,b,c]')  # what is there follows the new requirements


def test_an_environment_of_the_other_stack_keeps_no_extras(copy, tmp_path):
    _, run, log = copy
    named = {'OSDPM_VENV': str(tmp_path / 'one')}
    run('-c', 'source tools/environment.sh; osdpm_environment onedl a', **named)
    run('-c', 'source tools/environment.sh; osdpm_environment openmmlab', **named)
    assert log()[-1].endswith('-c tools/constraints/openmmlab.txt -e .[openmmlab]')


def test_a_killed_installation_is_repaired(copy):
    root, run, log = copy
    broken = run('tools/run_tests.sh', PIP_EXIT='9')
    assert broken.returncode != 0 and 'run the same command again' in broken.stderr
    (root / '.venv' / 'left behind').touch()
    again = run('tools/run_tests.sh')
    assert again.returncode == 0 and 'is incomplete and is made again' in again.stdout
    assert verbs(log) == ['venv', 'pip', 'venv', 'pip', 'pytest']
    assert not (root / '.venv' / 'left behind').exists() and not (root / '.venv.discarded').exists()


def test_an_environment_whose_python_is_gone_is_made_again(copy):
    root, run, log = copy
    run('tools/run_tests.sh')
    (root / '.venv/bin/python').unlink()
    assert run('tools/run_tests.sh').returncode == 0
    assert verbs(log) == ['venv', 'pip', 'pytest', 'venv', 'pip', 'pytest']


@pytest.mark.parametrize('where', ['default', 'named'])
def test_folders_of_the_user_are_left_alone(copy, tmp_path, where):
    root, run, log = copy
    folder = root / '.venv' if where == 'default' else tmp_path / 'mine'
    folder.mkdir()
    (folder / 'precious').write_text('x')
    done = run('tools/run_tests.sh', **({} if where == 'default' else {'OSDPM_VENV': str(folder)}))
    assert done.returncode != 0 and 'holds files that this script did not make' in done.stderr
    assert (folder / 'precious').exists() and log() == []


def test_stacks_have_environments_of_their_own(copy):
    root, run, log = copy
    assert run('tools/run_tests.sh', '-m', 'stack', STACK='openmmlab').returncode == 0
    assert '-c tools/constraints/openmmlab.txt -e .[openmmlab,archive,dev]' in log()[1]
    assert (root / '.venv-openmmlab').is_dir() and not (root / '.venv').exists()
    done = run('tools/run_tests.sh', STACK='other')
    assert done.returncode != 0 and done.stderr.strip() == "there is no stack 'other'; choose onedl or openmmlab"


def test_named_environment_and_named_python(copy, tmp_path):
    root, run, log = copy
    assert run('tools/run_tests.sh', OSDPM_VENV=str(tmp_path / 'elsewhere')).returncode == 0
    assert (tmp_path / 'elsewhere/bin/python').exists() and not (root / '.venv').exists()
    done = run('tools/run_tests.sh', OSDPM_PYTHON=str(tmp_path / 'bin/python3'))
    assert verbs(log) == ['venv', 'pip', 'pytest', 'pytest'] and 'as named by OSDPM_PYTHON' in done.stdout


def test_two_stacks_in_one_shell(copy):
    root, run, log = copy
    each = 'for stack in onedl openmmlab; do osdpm_environment $stack; echo $ENV_PYTHON; done'
    done = run('-c', f'source tools/environment.sh; {each}')
    assert done.returncode == 0 and verbs(log) == ['venv', 'pip', 'venv', 'pip']
    assert done.stdout.splitlines()[-1] == f'{root}/.venv-openmmlab/bin/python'


@pytest.mark.parametrize(
    ('script', 'words'),
    [
        ('exit 1', 'stack needs Python 3.10 or newer'),
        ('[[ "$*" == *ensurepip* ]] && exit 1; exit 0', 'cannot make virtual environments'),
    ],
)
def test_unsuitable_python_is_one_sentence(copy, tmp_path, script, words):
    _, run, log = copy
    python = write_program(tmp_path / 'bin' / 'other', f'#!/usr/bin/env bash\n{script}\n')
    done = run('tools/run_tests.sh', PYTHON=str(python))
    assert done.returncode != 0 and words in done.stderr and len(done.stderr.splitlines()) == 1
    assert log() == []


def test_no_python_is_one_sentence(copy):
    _, run, _ = copy
    done = run('tools/run_tests.sh', PYTHON='python-that-is-not-there')
    assert done.returncode != 0 and 'is not on PATH; install Python 3.10 or newer' in done.stderr


def test_quickstart_from_nothing(copy):
    root, run, log = copy
    done = run('tools/quickstart.sh')
    assert done.returncode == 0, done.stderr
    assert verbs(log) == ['venv', 'pip', 'train', 'test', 'gallery']
    config, work_dir = 'configs/osdpm_scenes.py', 'work_dirs/osdpm_scenes'
    best = f'{work_dir}/best_mR_epoch_3.pth'
    assert log()[2:] == [
        f'train -u tools/train.py {config} --work-dir {work_dir}',
        f'test -u tools/test.py {config} {best}',
        f'gallery -u tools/visualize/gallery.py {config} {best} --out {work_dir}/gallery.png',
    ]
    assert 'the recall table' in done.stdout


def test_quickstart_reuses_a_finished_training(copy):
    _, run, log = copy
    run('tools/quickstart.sh')
    done = run('tools/quickstart.sh')
    assert 'best_mR_epoch_3.pth is finished and reused' in done.stdout
    assert verbs(log) == ['venv', 'pip', 'train', 'test', 'gallery', 'test', 'gallery']


def test_quickstart_resumes_an_interrupted_training(copy):
    root, run, log = copy
    assert run('tools/quickstart.sh', TRAIN_EXIT='130').returncode == 130
    (root / 'work_dirs/osdpm_scenes/best_mR_epoch_1.pth').touch()  # of an unfinished training: not reused
    done = run('tools/quickstart.sh')
    assert done.returncode == 0 and 'continues from work_dirs/osdpm_scenes/epoch_1.pth' in done.stdout
    assert log()[3].endswith('--work-dir work_dirs/osdpm_scenes --resume')


@pytest.fixture
def ci(copy):
    """`copy` with .ci/run, whose python notes the checks in the log as well."""
    root, run, log = copy
    shutil.copytree(ROOT / '.ci', root / '.ci')
    python = root.parent / 'bin/python3'
    checks = """*'-m ruff '*|*'-m mypy'*|*'-m interrogate '*) echo "$2 $*" >>"$LOG" ;;"""
    python.write_text(python.read_text().replace('    *)\n', f'    {checks}\n    *)\n'))
    return run, log


def test_ci_runs_the_checks_and_ends_with_the_line_of_pytest(ci):
    run, log = ci
    done = run('.ci/run')
    assert done.returncode == 0, done.stderr
    assert verbs(log) == ['venv', 'pip', 'ruff', 'ruff', 'mypy', 'interrogate', 'pytest', 'venv', 'pip', 'pytest']
    assert log()[-1].endswith('-m stack') and '-m pytest ' in log()[-1]
    assert done.stdout.splitlines()[-1] == '3 passed in 0.10s'


def test_ci_shares_one_environment(ci):
    run, log = ci
    run('.ci/run')
    assert [line.rpartition(' ')[2] for line in log() if line.startswith('pip ')] == [
        '.[onedl,archive,dev]',
        '.[openmmlab,archive,dev]',
    ]


def test_parts_of_ci(ci):
    run, log = ci
    assert run('.ci/run', 'checks').returncode == 0
    assert verbs(log) == ['venv', 'pip', 'ruff', 'ruff', 'mypy', 'interrogate']
    assert run('.ci/run', 'onedl').returncode == 0 and verbs(log)[6:] == ['pytest']
    assert run('.ci/run', 'openmmlab').returncode == 0 and verbs(log)[7:] == ['venv', 'pip', 'pytest']
    done = run('.ci/run', 'other')
    assert done.returncode == 2 and done.stderr.startswith("there is no part 'other'; choose checks, onedl or")


def test_the_workflow_and_pre_commit_run_what_ci_runs():
    ci = (ROOT / '.ci/run').read_text()
    job = yaml.safe_load((ROOT / '.github/workflows/tests.yml').read_text())['jobs']['run']
    assert job['steps'][-1]['run'] == 'bash .ci/run ${{ matrix.part }}'
    assert all(f'\n{part}() {{' in ci for part in job['strategy']['matrix']['part'])
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos'][0]['hooks']
    entries = [hook['entry'].replace('.venv/bin/python', '"$ENV_PYTHON"').split() for hook in hooks]
    for line in filter(lambda line: '"$ENV_PYTHON"' in line, ci.splitlines()):  # options that change files aside
        wanted = [word for word in line.split() if word not in ('.', '--check')]
        assert any(entry[: len(wanted)] == wanted for entry in entries), line
