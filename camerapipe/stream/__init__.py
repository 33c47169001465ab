"""A camera in motion: frames in, frames out, on time, and an account of each.

`worlds` runs processes under the wall clock or a virtual one, `line` is the row of stages with its
promises, `viewfinder` shows one frame, `ladder` decides how much is done for it, `profile` and
`device` simulate a phone, `session` puts a stream together; `sources`, `sinks`, `record` and
`tracing` are its ends.
"""
