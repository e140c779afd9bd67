"""An identity is deactivated, blocked or made active again."""

from __future__ import annotations

from services.common.clock import Clock
from services.identity.domain.identity import IdentityState
from services.identity.ports import Keys, Store
from services.identity.usecases.find_individual import FindIndividual, IndividualName


class SetState:
    """Changes the state; authentication follows the feed."""

    def __init__(self, store: Store, keys: Keys, clock: Clock, find: FindIndividual) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._find = find

    async def __call__(self, name: IndividualName, state: IdentityState, reason: str) -> None:
        """Set the state; setting the present one again changes nothing.

        Raises:
            NotFound: IDENTITY_NOT_FOUND.
        """
        assert state is not IdentityState.DRAFT, "the interface does not offer it"
        found = await self._find(name, reason="IDENTITY_NOT_FOUND")
        # What an operator writes may well name the individual.
        [sealed_reason] = await self._keys.seal_texts([reason])
        personal = await self._keys.seal_for_audit({"reason": reason})
        now = self._clock.now()
        async with self._store.transaction() as tx:
            identity = await tx.identity(found.identity_id, lock=True)
            assert identity is not None, "identities are never deleted"
            if identity.state is state:
                return
            await tx.set_state(identity.identity_id, state, now)
            await tx.note_reason(identity.identity_id, state, sealed_reason, now)
            await tx.publish_state(identity.identity_id, state, now)
            await tx.audit(
                "IDENTITY_STATE_SET",
                "identity",
                identity.identity_id.bytes,
                details={"from": identity.state.value, "to": state.value},
                personal=personal,
            )
