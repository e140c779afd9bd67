"""Registrations, the flow, what a packet holds, who is a candidate: rules without I/O."""
