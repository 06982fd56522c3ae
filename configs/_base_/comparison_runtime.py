"""The runtime of the comparison methods: a vocabulary of training words, and similarities that score pairs."""

_base_ = 'default_runtime.py'

default_hooks = dict(checkpoint=dict(interval=5))
custom_hooks = [
    dict(type='CheckpointCompatibilityHook'),
    dict(type='EpochSeedHook'),
    dict(type='FiniteLossHook'),
    dict(type='VocabularyHook'),
    dict(type='PairwiseScoringHook'),
]
