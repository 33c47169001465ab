"""The figures of Kriener, Binder and Wille 2013, a module each, for `tools/reproduce.py`."""
