"""The runtime of the comparison methods whose released code keeps frequent words alone: AMFMN, GaLR, HVSA, SWAN.

Words seen at least 5 times in the training captions, without English stop words; all others are one unknown word.
"""

_base_ = 'comparison_runtime.py'

custom_hooks = [
    dict(hook, min_count=5, drop_stop_words=True) if hook['type'] == 'VocabularyHook' else hook
    for hook in _base_.custom_hooks
]
