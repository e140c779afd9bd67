"""The authToken of an answer."""

from uuid import UUID

from services.authentication.domain.partner import VerifiedPartner
from services.authentication.domain.policy import AuthPolicy
from services.authentication.domain.token import draw_token, scope_of
from services.authentication.ports import Ciphers, Psuts

KEY = "ida/transit/psut"


class Tokens:
    """Makes a token once per person and partner, or policy, and tells the same ever after."""

    def __init__(self, psuts: Psuts, ciphers: Ciphers) -> None:
        self._psuts = psuts
        self._ciphers = ciphers

    async def __call__(
        self, identity_id: UUID, policy: AuthPolicy, partner: VerifiedPartner
    ) -> str:
        """Return the token of a person for a partner.

        Raises:
            Unavailable: Vault or the database is away.
        """
        scope = scope_of(policy, partner)
        if scope is None:
            return draw_token()
        sealed = await self._psuts.get(identity_id, scope)
        if sealed is None:
            [made] = await self._ciphers.encrypt(KEY, [draw_token().encode()])
            await self._psuts.add(identity_id, scope, made)
            # Of two that were made at once the first one stays.
            sealed = await self._psuts.get(identity_id, scope)
            assert sealed is not None
        [token] = await self._ciphers.decrypt(KEY, [sealed])
        return token.decode()
