"""What a user did wrong, in one sentence that names the file, key or value and the remedy.

The command-line tools print these messages without a traceback; everything else is a bug and keeps its traceback.
"""


class OSDPMError(ValueError):
    """Base of all errors caused by the input of a user."""


class DataError(OSDPMError):
    """An annotation file, an image or a caption is missing or unusable."""


class CheckpointError(OSDPMError):
    """A checkpoint is missing, unreadable, or belongs to another model."""


class ConfigError(OSDPMError):
    """A value in a config does not fit the component that it is given to."""


class MetricError(OSDPMError):
    """Predictions are incomplete, contradictory or not finite."""
