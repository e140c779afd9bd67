"""The mesh: servers and channels with mTLS, callers, deadlines, errors, health and drain.

A servicer converts, delegates and converts; everything that every RPC needs happens here,
in one place each way.
"""

from services.common.rpc.call import Call, call_or_none, current_call, detached
from services.common.rpc.certificates import (
    Certificate,
    Sign,
    ensure_certificate,
    renew_forever,
)
from services.common.rpc.channels import Channels, channel
from services.common.rpc.server import Server

__all__ = [
    "Call",
    "Certificate",
    "Channels",
    "Server",
    "Sign",
    "call_or_none",
    "channel",
    "current_call",
    "detached",
    "ensure_certificate",
    "renew_forever",
]
