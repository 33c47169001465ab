"""The local web server: a thin layer over `Session`, `Stream` and recipes (extra `web`).

`site` puts the parts of the site together behind the guards. A part, such as the studio, has routes
and ends by `close`. Pages are static files in `static/`; they talk to their part by a web socket
(`channel`).
"""
