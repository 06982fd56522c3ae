"""UCM-Captions as in published_ucm.py, with the words that the released code of AMFMN and GaLR keeps."""

_base_ = ['../datasets/comparison_ucm.py', '../schedules/adam_70e.py', '../comparison_words_runtime.py']
