"""Report of a trace: reading, summary, and one HTML page without external files."""

from camerapipe.timeline.page import page
from camerapipe.timeline.reading import Trace, read_trace
from camerapipe.timeline.summary import Summary, summarise

__all__ = ["Summary", "Trace", "page", "read_trace", "summarise"]
