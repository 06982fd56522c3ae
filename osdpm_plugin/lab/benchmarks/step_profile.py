"""A training step -> the time of its parts and operations, its memory, and a lower bound of its time."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .timing import synchronize

# Lowest memory traffic of a parameter in bytes: AdamW reads weight, gradient and two moments and writes three of them,
# the backward pass writes the gradient; 4 bytes each.
TRAFFIC = 8 * 4
PARTS = ('image_tower', 'text_tower', 'neck', 'text_neck')


def flops_of(step: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and attentions of a step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def floor_seconds(flops: int, parameters: int, rates: dict[str, float], precision: str) -> dict[str, float]:
    """Lower bound of the time of a step: ``matmul``, its FLOPs at the measured rate of a large matrix product;
    ``memory``, the traffic of float32 weights and moments at the measured rate of a copy; and their ``sum``. The rates
    are those of `machine.rates`.
    """
    matmul, memory = flops / rates[f'{precision}_flops'], TRAFFIC * parameters / rates['memory_bytes']
    return dict(matmul=matmul, memory=memory, sum=matmul + memory)


def most_time(step: Callable[[], object], device: str, *, top: int = 12) -> list[dict[str, Any]]:
    """The slowest operations of one step, without nested ones: ``name``, ``seconds``, ``share``, ``calls``."""
    on_gpu = device.startswith('cuda')
    kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if on_gpu else [])]
    with torch.profiler.profile(activities=kinds) as profile:
        step()
        synchronize(device)
    key = 'self_device_time_total' if on_gpu else 'self_cpu_time_total'
    events = sorted(profile.key_averages(), key=lambda event: -getattr(event, key))
    total = sum(getattr(event, key) for event in events) or 1.0
    return [
        dict(name=e.key, seconds=getattr(e, key) * 1e-6, share=getattr(e, key) / total, calls=e.count)
        for e in events[:top]
    ]


def peak_memory(
    step: Callable[[], object], module: nn.Module, optimizer: torch.optim.Optimizer, device: str
) -> Optional[int]:
    """Peak bytes on the GPU during a step, not the first, as if this model were alone on it; None on a CPU.

    It is what the step adds to the memory in use, plus the model's own weights, gradients and moments.
    """
    if not device.startswith('cuda'):
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before, own = torch.cuda.memory_allocated(device), held_bytes(module, optimizer)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before + own


def held_bytes(module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Bytes of parameters, buffers, gradients and of the optimizer's state."""
    held = [*module.parameters(), *module.buffers()]
    held += [p.grad for p in module.parameters() if p.grad is not None]
    held += [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


def sections_of(
    step: Callable[[], object], model: Any, optimizer: torch.optim.Optimizer, device: str
) -> dict[str, float]:
    """Seconds of one step in the parts of a retriever: ``data_preprocessor``, the towers (the text tower with captions
    and prompts) and necks forward, ``head`` (the rest of the forward pass), ``backward`` (with gradient clipping),
    ``update``, the ``rest``, and the ``whole``.
    """
    seconds: dict[str, float] = {}
    since: dict[str, float] = {}

    def now() -> float:
        synchronize(device)
        return time.perf_counter()

    def turn(ended: Optional[str], begun: Optional[str]) -> Callable[..., None]:
        """A hook at the end of one part and the beginning of another."""

        def hook(*_: Any) -> None:
            if ended is not None:
                seconds[ended] = seconds.get(ended, 0.0) + now() - since[ended]
            if begun is not None:
                since[begun] = now()

        return hook

    handles = [
        model.register_forward_pre_hook(turn(None, 'forward')),
        model.register_forward_hook(turn('forward', 'backward')),
        optimizer.register_step_pre_hook(turn('backward', 'update')),
        optimizer.register_step_post_hook(turn('update', None)),
    ]
    for name, part in model.named_children():
        if name in (*PARTS, 'data_preprocessor'):
            handles.append(part.register_forward_pre_hook(turn(None, name)))
            handles.append(part.register_forward_hook(turn(name, None)))
    try:
        start = now()
        step()
        whole = now() - start
    finally:
        for handle in handles:
            handle.remove()
    seconds['head'] = seconds.pop('forward') - sum(seconds.get(name, 0.0) for name in PARTS)
    seconds['rest'] = whole - sum(seconds.values())
    return dict(seconds, whole=whole)
