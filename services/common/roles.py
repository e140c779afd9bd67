"""What an operator must be allowed before an RPC from the edge does anything."""

from __future__ import annotations

from services.common import rpc
from services.common.errors import PermissionDenied


def require(*roles: str) -> rpc.Call:
    """Return the call; refuse an operator from the edge who has none of the roles.

    A caller inside the mesh is known by its certificate, and the RPC's own list lets it in.

    Raises:
        PermissionDenied: ROLE_MISSING.
    """
    call = rpc.current_call()
    if call.caller == "envoy" and call.roles.isdisjoint(roles):
        raise PermissionDenied("ROLE_MISSING", f"Needed: {' or '.join(sorted(roles))}.")
    return call
