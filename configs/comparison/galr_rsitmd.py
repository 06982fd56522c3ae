_base_ = ['../_base_/models/comparison/galr.py', '../_base_/comparison/published_words_rsitmd.py']

max_epochs = 20 * _base_.passes  # the released settings: 20 epochs of five passes each
optim_wrapper = dict(optimizer=dict(lr=2e-4))  # the released settings
train_cfg = dict(max_epochs=max_epochs)
