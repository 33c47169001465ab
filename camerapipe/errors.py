"""What can go wrong, as exceptions; each message is one line: what, where, what to do."""


class RequestError(ValueError):
    """Something asked for that does not exist, or does not fit the capture."""


class CaptureError(Exception):
    """A capture that cannot be read: the message says which file, what is wrong and what to do."""


class LimitError(CaptureError):
    """A capture beyond a limit (pixels, memory) that the person can raise."""


class OutputError(Exception):
    """An output that cannot be written; nothing was left under its name."""
