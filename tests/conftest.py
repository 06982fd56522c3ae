"""One thread: the tensors of the tests are tiny, and threads that wait for each other cost more than they bring."""

import pytest
import torch
from mmengine.visualization import Visualizer

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _forget_visualizers():
    """A runner that starts within a second of another test's takes its visualizer, whose folder may be gone."""
    yield
    Visualizer._instance_dict.clear()
