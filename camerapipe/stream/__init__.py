"""Streams: frames in, frames out, on time, and an account of each.

`opening` is the door; `stream` puts a stream together from its `options`. `scheduler` runs
processes under the wall clock, `virtual` in virtual time; `line` is the row of stages with its
guarantees.
`viewfinder` computes one frame (`shown`) at the rung (`rungs`) that `policy` decides; `rehearsal`
measures what rungs cost. `profile` and `device` simulate a phone. `sources`, `sinks`, `record`,
`replay`, `tracing` and `account` are its ends; `video_source` and `video_sink` those for videos.
"""
