"""Trial: each different caption of an image once a step; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

train_pipeline = [
    dict(step, distinct=True) if step['type'] == 'SampleCaptions' else step for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
