"""Batch: many files through the job function, on one machine or more, with nothing lost.

`listing` streams the inputs, `planning` turns those that are due into orders, an engine (`engine`,
`local`) performs them by `job.run_job`, and `journal` is the only record of what is done. `running`
puts them together.
"""
