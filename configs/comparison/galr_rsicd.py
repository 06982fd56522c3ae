_base_ = ['../_base_/models/comparison/galr.py', '../_base_/comparison/published_words_rsicd.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released settings, with 70 epochs
