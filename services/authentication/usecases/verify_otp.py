"""Checks a one-time password; wrong tries are counted before anything is answered."""

import hmac
from datetime import datetime

from services.authentication.domain.otp import (
    OtpGuard,
    OtpRules,
    StoredOtp,
    check_binding,
    mac_input,
)
from services.authentication.ports import Macs, Otps, UnitOfWork
from services.authentication.usecases.find_individual import FoundIndividual
from services.common.errors import InvalidArgument
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

KEY = "ida/transit/otp"


class VerifyOtp:
    """Compares in constant time. The OTP is burnt in the commit of the decision."""

    def __init__(self, otps: Otps, macs: Macs, unit_of_work: UnitOfWork, rules: OtpRules) -> None:
        self._otps = otps
        self._macs = macs
        self._unit_of_work = unit_of_work
        self._rules = rules

    async def __call__(
        self, found: FoundIndividual, partner_id: str, transaction_id: str, otp: str, now: datetime
    ) -> StoredOtp:
        """Return the OTP that was told rightly, for the commit to burn.

        Raises:
            WireError: IDA-OTA-003, -004, -005, -011, -012, -013.
            Unavailable: Vault or the database is away.
        """
        guard = await self._otps.guard(found.individual.identity_id)
        if guard is not None:
            guard.check_not_frozen(now, self._rules)
        stored = check_binding(await self._otps.find(found.keys), partner_id, transaction_id)
        told = await self._told(stored, otp)
        if not hmac.compare_digest(told, stored.mac):
            await self._count_failure(stored, now)
            raise WireError(IdaError.INVALID_OTP)
        if stored.expires_at <= now:
            async with self._unit_of_work.begin() as transaction:
                await transaction.use_otp(stored)
            raise WireError(IdaError.EXPIRED_OTP)
        return stored

    async def _told(self, stored: StoredOtp, otp: str) -> bytes:
        bound = (stored.individual_key.digest, stored.partner_id, stored.transaction_id)
        try:
            [mac] = await self._macs.hmac(KEY, [mac_input(*bound, otp)], version=stored.mac_version)
        except InvalidArgument:
            # The key's version was retired, as no password lives so long.
            raise WireError(IdaError.EXPIRED_OTP) from None
        return mac.digest

    async def _count_failure(self, stored: StoredOtp, now: datetime) -> None:
        async with self._unit_of_work.begin() as transaction:
            guard = await transaction.lock_guard(stored.identity_id, now)
            frozen_before = _is_frozen(guard, now)
            if not frozen_before:
                guard = guard.after_failure(now, self._rules)
                await transaction.put_guard(stored.identity_id, guard)
        if _is_frozen(guard, now):
            raise self._rules.frozen_error


def _is_frozen(guard: OtpGuard, now: datetime) -> bool:
    return guard.frozen_until is not None and now < guard.frozen_until
