"""The model inside its wrapper."""

from torch import nn

from osdpm_plugin.utils.unwrap import unwrapped


def test_wrapped_and_bare():
    model = nn.Linear(2, 2)
    assert unwrapped(nn.DataParallel(model)) is model and unwrapped(model) is model


def test_a_part_that_is_called_module_is_no_wrapper():
    model = nn.Sequential()
    model.module = nn.Linear(2, 2)
    assert unwrapped(model) is model
