"""Trial: one caption of each image a step, not all five; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

train_pipeline = [dict(step, num=1) if step['type'] == 'SampleCaptions' else step for step in _base_.train_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
