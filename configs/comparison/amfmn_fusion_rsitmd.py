_base_ = ['../_base_/models/comparison/amfmn_fusion.py', '../_base_/comparison/published_words_rsitmd.py']

optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released settings for RSITMD
