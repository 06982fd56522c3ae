"""The runtime with an exponential moving average of the weights, which is what is validated and saved."""

_base_ = 'default_runtime.py'

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.01),  # ours: RSICD val
]
