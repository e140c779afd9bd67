"""Policies as requests need them: parsed once, for a published policy never changes."""

from services.authentication.domain.policy import AuthPolicy, parse_policy
from services.authentication.ports import Partners
from services.common.errors import Unavailable

_MAX_KEPT = 4096


class Policies:
    """Reads through to the store. Whether a policy is active the gateway has checked."""

    def __init__(self, partners: Partners) -> None:
        self._partners = partners
        self._parsed: dict[str, AuthPolicy] = {}

    async def __call__(self, policy_id: str) -> AuthPolicy:
        """Return a policy.

        Raises:
            Unavailable: POLICY_NOT_FOLLOWED, the gateway knows it and this service not yet.
        """
        known = self._parsed.get(policy_id)
        if known is not None:
            return known
        document = await self._partners.policy_document(policy_id)
        if document is None:
            raise Unavailable(
                "POLICY_NOT_FOLLOWED", "The policy has not arrived yet.", retry_after_s=1.0
            )
        policy = parse_policy(document)
        if len(self._parsed) >= _MAX_KEPT:
            self._parsed.clear()
        self._parsed[policy_id] = policy
        return policy
