"""What every run shares: hooks, environment, logging."""

custom_imports = dict(imports=['osdpm_plugin'], allow_failed_imports=False)
default_scope = 'mmengine'  # names of other packages carry their scope: mmpretrain.ResNet

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1, save_best='retrieval/mR', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
custom_hooks = [
    dict(type='CheckpointCompatibilityHook'),
    dict(type='EpochSeedHook'),
    dict(type='FiniteLossHook'),
    dict(type='ObjectFrequencyHook'),
]

env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
log_processor = dict(by_epoch=True, window_size=20)
log_level = 'INFO'
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=0)
load_from = None
resume = False
