"""Centres, machines, packet keys and schemas; pure."""
