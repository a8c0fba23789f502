"""What can go wrong, for a person to read: what happened, to which file, and what to do next.

PetparkError
├── SettingsError   params.yaml or policy.yaml
├── DataError       a batch, a photo, the lake
├── ModelError      weights, an ONNX file
└── SetupError      this machine: a missing package or tool, no space
"""


class PetparkError(Exception):
    """Something that its reader can mend; the message says how."""


class SettingsError(PetparkError):
    """A settings file holds an unknown key, a wrong type or an impossible value."""


class DataError(PetparkError):
    """A batch, a photo or something derived from them is not what it should be."""


class ModelError(PetparkError):
    """Weights or a model file are not what they should be."""


class SetupError(PetparkError):
    """The machine lacks what the command needs."""
