"""Machines, their tokens, packets and what may happen to them; pure."""
