"""Hook that compiles parts of the model before training."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from mmengine.hooks import Hook

from ..errors import ConfigError
from ..registry import HOOKS
from ..utils.dist import unwrapped


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile single modules with `torch.compile`, in place, so that the names of weights do not change.

    mmengine's ``compile=`` compiles the whole training step with the optimizer, whose parameter groups are dictionaries
    of a type of mmengine; the compiler of torch 2.14 fails at them.

    Args:
        modules: names, e.g. ``image_tower`` and ``text_tower``.
        backend: ``inductor`` needs a C++ compiler, and Triton on GPUs.
        dynamic: whether sizes may change from batch to batch; None lets torch find out.

    Raises:
        ConfigError: the model has no module of a name (before training).
    """

    def __init__(
        self,
        *,
        modules: Sequence[str] = ('image_tower', 'text_tower'),
        backend: str = 'inductor',
        dynamic: Optional[bool] = None,
    ) -> None:
        self.modules = tuple(modules)
        self.backend = backend
        self.dynamic = dynamic

    def before_train(self, runner: Any) -> None:
        """Mark each module, to be compiled at its first call."""
        model = unwrapped(runner.model)
        for name in self.modules:
            try:
                module = model.get_submodule(name)
            except AttributeError as error:
                raise ConfigError(f'CompileHook: modules names {name!r}, which the model does not have') from error
            module.compile(backend=self.backend, dynamic=self.dynamic)
