"""Where the time of a training step goes, and the least that it could take."""

from __future__ import annotations

import time
from typing import Any, Callable
from unittest import mock

import torch
from torch.utils.flop_counter import FlopCounterMode

from .timing import synchronize

# Bytes of memory traffic a parameter at the least: AdamW reads weight, gradient and two moments and writes three of
# them, the backward pass writes the gradient; 4 bytes each.
TRAFFIC = 8 * 4
TOWERS = ('image_tower', 'text_tower', 'neck', 'text_neck', 'head')


def flops_of(step: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and attentions of a step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def floor_seconds(flops: int, parameters: int, rates: dict[str, float], precision: str) -> dict[str, float]:
    """The least time of a step: ``matmul``, its FLOPs at the measured rate of a large matrix product, ``memory``, the
    traffic of weights and moments at the measured rate of a copy, and their ``sum``.

    Args:
        flops: of a step.
        parameters: that are trained, in float32.
        rates: of `machine.rates`.
        precision: ``fp32`` or ``bf16``.
    """
    matmul, memory = flops / rates[f'{precision}_flops'], TRAFFIC * parameters / rates['memory_bytes']
    return dict(matmul=matmul, memory=memory, sum=matmul + memory)


def most_time(step: Callable[[], object], device: str, *, top: int = 12) -> list[dict[str, Any]]:
    """The operations of one step that take most time by themselves: ``name``, ``seconds``, ``share``, ``calls``."""
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


def sections_of(model: Any, wrapper: Any, step: Callable[[], object], device: str) -> dict[str, float]:
    """Seconds of one step in the parts of a retriever: towers (the text tower with captions and prompts), necks and
    head forward, the backward pass, the update, and what is left.

    Args:
        model: an `ImageTextRetriever`.
        wrapper: its optimizer.
        step: one step of them.
        device: of the model.
    """
    seconds: dict[str, float] = {}

    def timed(name: str, call: Callable) -> Callable:
        def inner(*args: Any, **kwargs: Any) -> Any:
            synchronize(device)
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                synchronize(device)
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

        return inner

    with mock.patch.multiple(wrapper, backward=timed('backward', wrapper.backward), step=timed('update', wrapper.step)):
        patches = [mock.patch.object(model.head, 'loss', timed('head', model.head.loss))]
        patches += [
            mock.patch.object(part, 'forward', timed(name, part.forward))
            for name, part in model.named_children()
            if name in TOWERS[:-1]
        ]
        patches.append(
            mock.patch.object(
                model.data_preprocessor, 'forward', timed('preprocessor', model.data_preprocessor.forward)
            )
        )
        for patch in patches:
            patch.start()
        try:
            timed('whole', step)()
        finally:
            for patch in patches:
                patch.stop()
    seconds['rest'] = 2 * seconds['whole'] - sum(seconds.values())
    return seconds
