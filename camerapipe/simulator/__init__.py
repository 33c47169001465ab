"""A simulated camera that an app opens and talks to, in virtual time.

`camera` is what an app has, with `futures`; `requests` are its requests, results and failures.
`engine` runs it: a `module` (scene, lens, sensor, 3A) exposes frames, which pass `lanes` whose
stages (`processing`) share a simulated processor; `ring` keeps the newest frames.
"""
