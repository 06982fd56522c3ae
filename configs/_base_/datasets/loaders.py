"""Samplers, collation and evaluators of every set; a child names pipelines and batch sizes."""

train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(split='train'),
)
val_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(split='val', test_mode=True),
)
test_dataloader = dict(
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(split='test', test_mode=True),
)
val_evaluator = dict(type='ImageTextRecall')
test_evaluator = dict(type='ImageTextRecall')
