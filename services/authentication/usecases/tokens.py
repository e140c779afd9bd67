"""The authToken of an answer."""

from collections import OrderedDict
from uuid import UUID

from services.authentication.domain.partner import VerifiedPartner
from services.authentication.domain.policy import AuthPolicy
from services.authentication.domain.token import draw_token, scope_of
from services.authentication.ports import Ciphers, Psuts
from services.common.clock import Clock

KEY = "ida/transit/psut"
# As long as an unwrapped data key is kept, at most.
_TTL_S = 300.0
_MAX_KEPT = 10_000


class Tokens:
    """Makes a token once per person and partner, or policy, and tells the same ever after.

    An opened token is remembered for minutes: it says nothing without the partner's own data.
    """

    def __init__(self, psuts: Psuts, ciphers: Ciphers, clock: Clock) -> None:
        self._psuts = psuts
        self._ciphers = ciphers
        self._clock = clock
        self._kept: OrderedDict[tuple[UUID, str], tuple[float, str]] = OrderedDict()

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
        now_s = self._clock.monotonic()
        kept = self._kept.get((identity_id, scope))
        if kept is not None and now_s < kept[0]:
            return kept[1]
        token = await self._open(identity_id, scope)
        self._kept[identity_id, scope] = (now_s + _TTL_S, token)
        self._kept.move_to_end((identity_id, scope))
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return token

    async def _open(self, identity_id: UUID, scope: str) -> str:
        sealed = await self._psuts.get(identity_id, scope)
        if sealed is None:
            [made] = await self._ciphers.encrypt(KEY, [draw_token().encode()])
            await self._psuts.add(identity_id, scope, made)
            # Of two that were made at once the first one stays.
            sealed = await self._psuts.get(identity_id, scope)
            assert sealed is not None
        [token] = await self._ciphers.decrypt(KEY, [sealed])
        return token.decode()
