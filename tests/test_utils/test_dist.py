"""Two and three processes against one: values and gradients of the loss over the global batch."""

import pytest
import torch
import torch.distributed as dist

from osdpm_plugin.utils.dist import gather_rows
from tests.distributed import run_distributed
from tests.test_models.tiny import batch, build

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


def losses_and_gradients():
    """One step of the tiny OSDPM under DDP on this rank's share; gradients are what DDP left."""
    world, rank = dist.get_world_size(), dist.get_rank()
    model = build().eval()  # no dropout: the shares must add up exactly
    data = batch(SHARES[world][rank], captions_each=2, num_objects=len(model.head.lexicon))
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    losses = wrapped(**model.data_preprocessor(data), mode='loss')
    sum(losses.values()).backward()
    return (
        {k: v.item() for k, v in losses.items()},
        {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None},
    )


@pytest.mark.stack
@pytest.mark.parametrize('world_size', [2, 3])
def test_loss_and_gradient_of_several_processes_equal_those_of_one(world_size):
    ((want_losses, want_grads),) = run_distributed(losses_and_gradients, 1)
    for losses, grads in run_distributed(losses_and_gradients, world_size):
        assert losses == pytest.approx(want_losses, rel=1e-5)
        assert grads.keys() == want_grads.keys()
        for name, grad in grads.items():
            torch.testing.assert_close(torch.from_numpy(grad), torch.from_numpy(want_grads[name]), rtol=1e-3, atol=2e-6)


def test_one_process_gathers_nothing():
    x = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(x) is x
