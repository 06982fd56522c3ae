"""The runtime of the compared methods, which ends a training whose mR on val has not risen for ten passes."""

_base_ = 'comparison_runtime.py'

custom_hooks = [*_base_.custom_hooks, dict(type='PatienceHook', monitor='retrieval/mR', epochs=10 * 5)]  # ours
