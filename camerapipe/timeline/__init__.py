"""The timeline: a trace read back, summed up, and shown as one page that needs nothing else."""

from camerapipe.timeline.page import page
from camerapipe.timeline.reading import Trace, read_trace
from camerapipe.timeline.summary import Summary, summarise

__all__ = ["Summary", "Trace", "page", "read_trace", "summarise"]
