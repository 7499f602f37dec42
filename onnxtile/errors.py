"""What can go wrong, as types. Each message is one line: which model part, which value, what to do."""

from __future__ import annotations


class OnnxtileError(Exception):
    """Base of all errors that onnxtile raises on purpose; the command line turns it into exit status 2."""


class UsageError(OnnxtileError):
    """The call is wrong: limits, an option, the name of a pass, of a form or of a dimension, an output path."""


class ModelError(OnnxtileError):
    """The model is wrong, or its file: unreadable, invalid, inconsistent, unsafe."""


class UnsupportedError(OnnxtileError):
    """The model is right but holds something that can't be carried through; nothing was changed."""


class PassError(OnnxtileError):
    """A pass failed or left an invalid model; the message names the pass, the cause is chained."""


class LimitsError(OnnxtileError):
    """A product exceeds the limits although a pass promised that none does."""
