"""`idmesh demo`: the main job end to end on real parts, with a table of what happened."""

from services.local.demo.command import command

__all__ = ["command"]
