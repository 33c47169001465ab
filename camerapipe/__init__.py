"""camerapipe: one RAW or JPEG capture becomes a shallow depth-of-field photograph."""

__version__ = "0.1.0"
