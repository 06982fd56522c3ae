"""Schedule and runtime of frozen towers, as the models come: necks, adapters and temperature are trained."""

_base_ = ['../schedules/adamw_30e.py', '../default_runtime.py']
