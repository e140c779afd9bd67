"""What an operator must be allowed before an RPC from the edge does anything."""

from __future__ import annotations

from services.common import rpc
from services.common.errors import PermissionDenied, Unauthenticated


def require(*roles: str) -> rpc.Call:
    """Return the call; refuse an operator from the edge who has none of the roles.

    A caller inside the mesh is known by its certificate, and the RPC's own list lets it in.

    Raises:
        Unauthenticated: TOKEN_MISSING, the call came through the edge and proves no operator.
        PermissionDenied: ROLE_MISSING.
    """
    call = rpc.current_call()
    if call.caller == "envoy" and call.operator is None:
        raise Unauthenticated("TOKEN_MISSING", "An operator's token is needed.")
    if call.caller == "envoy" and call.roles.isdisjoint(roles):
        raise PermissionDenied("ROLE_MISSING", f"Needed: {' or '.join(sorted(roles))}.")
    return call
