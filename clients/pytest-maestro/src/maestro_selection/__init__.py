"""Which tests a change can alter: recordings, tables of who reads which name, and the selection from both.

Standard library only, Python 3.9 or later: it runs inside the environments of other people's projects.
"""
