"""One thread: the tensors of the tests are tiny, and threads that wait for each other cost more than they bring.

Nothing that a module of tests finds is looked at by the garbage collector: mmengine collects garbage for each data set
that it builds, and among all that a test run imports this takes a third of a second.
"""

import gc

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer

from tests.helpers.tools import run_tool_here

torch.set_num_threads(1)


@pytest.fixture(scope='module', autouse=True)
def _few_objects_to_collect():
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope='module', autouse=True)
def _forget_loggers():
    """The logger that was made last is the one that speaks; that of another module's runner may say errors alone."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            handler.close()
    MMLogger._instance_dict.clear()


@pytest.fixture(autouse=True)
def _forget_visualizers():
    """A runner that starts within a second of another test's takes its visualizer, whose folder may be gone."""
    yield
    Visualizer._instance_dict.clear()


@pytest.fixture
def command(capsys):
    """A function that runs a tool in this process, as from a shell -> exit code, standard output, standard error."""

    def run(name, *arguments):
        capsys.readouterr()
        return run_tool_here(f'{name}.py', *arguments), *capsys.readouterr()

    return run
