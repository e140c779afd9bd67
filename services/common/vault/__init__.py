"""The key service (HashiCorp's Vault API) on the hot path.

Every call may raise:
    Unavailable: VAULT_UNAVAILABLE (away, slow, too many requests) or VAULT_SEALED; retry.
    InvalidArgument: CIPHERTEXT_REFUSED, no key, version or associated data fits;
        VAULT_REQUEST_REFUSED, anything else that the server calls a bad request.
    NotFound: VAULT_KEY_UNKNOWN.
    PermissionDenied: VAULT_FORBIDDEN, the service's policy does not allow it.
    VaultLoginRefused: the login is lost; the process ends with status 75.
"""

from services.common.vault.client import VaultClient
from services.common.vault.errors import VaultLoginRefused
from services.common.vault.limits import VaultLimits
from services.common.vault.transit import version_of
from services.common.vault.types import (
    DataKey,
    IssuedCertificate,
    Mac,
    PublicKeys,
    Scheme,
    Signature,
)

__all__ = [
    "DataKey",
    "IssuedCertificate",
    "Mac",
    "PublicKeys",
    "Scheme",
    "Signature",
    "VaultClient",
    "VaultLimits",
    "VaultLoginRefused",
    "version_of",
]
