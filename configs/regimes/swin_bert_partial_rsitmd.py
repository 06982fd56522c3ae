"""RSITMD on Swin-T and BERT: the last of 4 stages and the last 3 of 12 layers are trained."""

_base_ = '../mixing/osdpm_swin_bert_rsitmd.py'

model = dict(image_tower=dict(frozen_stages=2), text_tower=dict(trainable_layers=3))  # ours: not tuned
optim_wrapper = dict(constructor='LayerDecayConstructor')  # norms stay free of weight decay in the towers, too
