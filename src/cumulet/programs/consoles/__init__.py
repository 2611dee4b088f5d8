"""Consoles in a browser: a page, and the web socket behind it that leads to a machine's screen or serial line.

`novnc/` is the noVNC library as its authors publish it, under its own licence (MPL-2.0), unchanged.
"""
