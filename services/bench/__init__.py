"""Measurements: commands that print numbers, not tests.

Each runs against the mesh on this machine, load generator included, so compare CPU time
and ratios rather than rates between machines.
"""
