"""Two and three processes against one: values and gradients of the loss over the global batch; the bare model."""

import copy

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from osdpm_plugin.utils.dist import gather_rows, unwrapped
from tests.helpers.distributed import run_distributed
from tests.helpers.tiny_models import batch, build

# Uneven shares of a global batch of 7 images.
SHARES = {1: [range(7)], 2: [[5, 0, 3, 6], [1, 2, 4]], 3: [[5, 0, 3], [6, 2], [1, 4]]}


def gather_on_each_rank():
    """Rank r holds r + 1 rows (10 r + row, its square); the loss weighs global row k by k + 1, and by rank."""
    rank = dist.get_rank()
    x = torch.arange(rank + 1, dtype=torch.float64)[:, None] + 10 * rank
    x = torch.cat([x, x**2], dim=1).requires_grad_()
    rows = gather_rows(x)
    weights = torch.arange(1, len(rows) + 1, dtype=torch.float64)[:, None] * (rank + 1)
    (rows * weights).sum().backward()
    ids = gather_rows(torch.arange(rank + 1) + 10 * rank)
    return rows.detach().tolist(), x.grad.tolist(), ids.tolist()


def test_gather_by_hand():
    results = run_distributed(gather_on_each_rank, 3)
    ids = [0, 10, 11, 20, 21, 22]
    for rank, (rows, grad, gathered_ids) in enumerate(results):
        assert gathered_ids == ids and rows == [[i, i**2] for i in ids]
        first = ids.index(10 * rank)
        assert grad == [[(1 + 2 + 3) * (k + 1)] * 2 for k in range(first, first + rank + 1)]  # summed over ranks


# name -> options of the model; each is compared with the plain form of one process under the same rule
FORMS = {
    'whole matrix': dict(),
    'own rows': dict(local_rows=True),
    'own rows, equal texts ignored': dict(local_rows=True, identical_captions='ignore'),
    'gradient cache, own rows': dict(grad_cache_chunk=3, local_rows=True),
}


def model_of(plain, local_rows=False, identical_captions='positive', grad_cache_chunk=None):
    """A copy of a model with other options."""
    model = copy.deepcopy(plain)
    model.head.alignment.local_rows, model.head.alignment.identical_captions = local_rows, identical_captions
    model.grad_cache_chunk = grad_cache_chunk
    return model


def share(model):
    """This rank's share; images 0, 3 and 6 have the same captions, so have 1 and 4, and 2 and 5."""
    objects = len(model.head.lexicon)
    ids = SHARES[dist.get_world_size()][dist.get_rank()]
    data = batch(ids, captions_each=2, num_objects=objects)
    texts = batch([i % 3 for i in ids], captions_each=2)
    for sample, text in zip(data['data_samples'], texts['data_samples']):
        sample.caption_keys, sample.tokens = text.caption_keys, text.tokens
    return data


def losses_and_gradients(forms):
    """One step of the tiny OSDPM under DDP on this rank's share in each form; gradients are what DDP left."""
    results = {}
    plain = build().train()
    for module in plain.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # the shares must add up exactly
    data = share(plain)
    for name in forms:
        model = model_of(plain, **FORMS[name])
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        losses = wrapped(**model.data_preprocessor(data), mode='loss')
        sum(losses.values()).backward()
        results[name] = (
            {k: v.item() for k, v in losses.items()},
            {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None},
        )
    return results


def plain_form(name):
    """The form of one process that a form is to equal."""
    return name if 'ignored' in name else 'whole matrix'


@pytest.mark.stack
@pytest.mark.parametrize('world_size', [2, 3])
def test_loss_and_gradient_of_several_processes_equal_those_of_one(world_size):
    (want,) = run_distributed(losses_and_gradients, 1, sorted({plain_form(name) for name in FORMS}))
    losses = {name: value for name, (value, _) in want.items()}
    assert losses['whole matrix'] != pytest.approx(losses['own rows, equal texts ignored'], rel=1e-3)
    for result in run_distributed(losses_and_gradients, world_size, list(FORMS)):
        for name, (losses, grads) in result.items():
            want_losses, want_grads = want[plain_form(name)]
            assert losses == pytest.approx(want_losses, rel=1e-5), name
            assert grads.keys() == want_grads.keys()
            assert 'head.alignment.log_scale' in grads
            for parameter, grad in grads.items():
                where = f'{name}: {parameter}'
                np.testing.assert_allclose(grad, want_grads[parameter], rtol=1e-3, atol=2e-6, err_msg=where)


def test_one_process_gathers_nothing():
    x = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(x) is x


def test_wrapped_and_bare():
    model = nn.Linear(2, 2)
    assert unwrapped(nn.DataParallel(model)) is model and unwrapped(model) is model
    named = nn.Sequential()
    named.module = model
    assert unwrapped(named) is named, 'a part that is called module is no wrapper'
