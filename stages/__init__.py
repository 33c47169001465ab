"""The image algorithms of camerapipe: pure functions, arrays in, arrays out.

Read alone, this folder is the method of Kriener, Binder and Wille (2013) and what we made of it:
`blur` estimates defocus at edges, `propagate` carries it to every pixel, `upsample` brings it to
full size, `bokeh` renders it. A stage uses no file, clock, log or screen.
"""
