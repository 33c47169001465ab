"""A simulated camera that an app opens and talks to, in virtual time.

`opening` is the door. `camera` is what an app has: requests, controls and `futures`; `driving` lets
time pass while it waits. `requests` are requests, results and failures. `engine` runs a camera: a
`module` exposes frames, which pass `lanes` whose stages (`processing`) share a simulated processor;
`ring` keeps the newest. Modules are `scene_module` (`scenes` before lens, sensor and 3A) and
`recorded`. `script` and `session` are the command line's, `tracing` writes traces, and `person` is
somebody who obeys the advice.
"""
