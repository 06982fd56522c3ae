"""The runtime with moving averages for text towers of whole words, which ends a training whose mR on val has not risen
for ten passes.
"""

_base_ = 'ema_runtime.py'

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='VocabularyHook'),
    dict(type='PatienceHook', monitor='retrieval/mR', epochs=10 * 5),  # ours
]
