"""RSITMD under the published setting of the comparison: data set, schedule and runtime, all but the model."""

_base_ = ['../datasets/comparison_rsitmd.py', '../schedules/adam_70e.py', '../comparison_runtime.py']
