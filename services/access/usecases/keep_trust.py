"""Signers that are certified in Vault and sign here, and what verifiers are told of them.

A token needs no call to Vault: its key was made in this process and certified once. A signer is
published before it signs, for longer than anybody keeps a key set, and until the last token that
it signed has expired. What is published is what the certifying key has signed, not what is in
the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.access.domain import signer as signers
from services.access.domain.attempts import BackOff
from services.access.domain.signer import LocalSigner, PublishedSigner, SignerRow, SignerRules
from services.access.domain.trust_state import TrustState
from services.access.ports import CertifyingKey, ForeignKeys, TrustRows, TrustStore
from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import PlatformError, Unavailable
from services.common.mosip_wire import base64url

_POLL_S = 1.0
# Everything is read again this often even if nothing says that it changed: rows expire.
_RELOAD_S = 10.0
_KEYS_S = 30.0
_FORGET_S = 300.0
_RETRY_S = 5.0

_log = telemetry.get_logger("access.trust")


@dataclass
class _Due:
    """When to do each of the slow things, on the monotonic clock."""

    keys: float = 0.0
    reload: float = 0.0
    signer: float = 0.0
    forget: float = 0.0


class KeepTrust:
    """The signer of this process; knows those of all others."""

    def __init__(
        self,
        store: TrustStore,
        certifier: CertifyingKey,
        foreign: ForeignKeys,
        clock: Clock,
        rules: SignerRules,
        *,
        back_off: BackOff,
        on_change: Callable[[TrustState], None],
    ) -> None:
        self._store = store
        self._certifier = certifier
        self._foreign = foreign
        self._clock = clock
        self._rules = rules
        self._back_off = back_off
        self._on_change = on_change
        self._own: list[LocalSigner] = []
        self._certifiers: Mapping[int, bytes] = {}
        self._certifying: Mapping[int, datetime] = {}
        self._statements: dict[str, PublishedSigner] = {}
        self._published: frozenset[str] = frozenset()
        self._seen_version = 0
        self._due = _Due()
        self._changed = asyncio.Condition()
        self._poke = asyncio.Event()
        self.state = TrustState(0, '{"keys":[]}')

    async def run(self) -> None:
        """Keep it all fresh for ever; what fails is tried again."""
        while True:
            try:
                await self.tick()
            except PlatformError as error:
                _log.warning("trust_not_refreshed", reason=error.reason)
            except Exception as error:
                _log.error("trust_not_refreshed", exc_info=error)
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._poke.wait()
            except TimeoutError:
                pass
            self._poke.clear()

    def poke(self) -> None:
        """Look at once: something was changed here."""
        self._poke.set()

    async def tick(self) -> None:
        """Look once."""
        at = self._clock.monotonic()
        if at >= self._due.keys:
            await self._look_at_keys(fresh=False)
        version = await self._store.version()
        changed = version != self._seen_version
        changed = changed or dict(self._foreign.jwks()) != self.state.foreign_jwks
        if changed or at >= self._due.reload:
            await self._reload(version)
        await self._tend()
        if at >= self._due.forget:
            self._due.forget = at + _FORGET_S
            now = self._clock.now()
            await self._store.forget_old(
                now,
                attempts_before=now - timedelta(seconds=self._back_off.remember_s),
                sources_before=now - timedelta(seconds=self._back_off.trusted_source_s),
            )

    async def kid(self) -> str:
        """Return the id of the key that signs now: a signer here, else the certifying key.

        Raises:
            Unavailable: SIGNER_MISSING, neither is to be had.
        """
        now = self._clock.now()
        ready = [each for each in self._own if self._may_sign(each, now)]
        if ready:
            return max(ready, key=lambda each: each.published.usable_from).published.kid
        version = self._pinned(now)
        if version is None:
            raise Unavailable("SIGNER_MISSING", "No key can sign now.", retry_after_s=1.0)
        return signers.certifier_kid(version)

    async def sign(self, signed: bytes, kid: str) -> bytes:
        """Return the ES256 signature, r || s, by the key with this id."""
        for each in self._own:
            if each.published.kid == kid:
                return each.sign(signed)
        return await self._certifier.sign(signed, int(kid.rpartition(":")[2]))

    async def renew(self) -> tuple[int, float]:
        """Look at the certifying key anew; make a signer by its newest version, if there is none.

        Returns:
            The version, and in how many seconds nothing is signed by an older one.
        """
        await self._look_at_keys(fresh=True)
        newest = max(self._certifiers)
        if all(each.published.certified_by != newest for each in self._own):
            await self._make(self._clock.now())
        await self._reload(await self._store.version())
        return newest, self._rules.overlap_s

    async def later_than(self, revision: int, timeout_s: float) -> TrustState:
        """Return the state once it is later than a revision, or the present one after a while."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.state.revision > revision)
        except TimeoutError:
            pass
        return self.state

    def _may_sign(self, signer: LocalSigner, now: datetime) -> bool:
        return signer.can_sign(now) and signer.published.kid in self._published

    def _pinned(self, now: datetime) -> int | None:
        """Return the newest version that every verifier had time to see."""
        overlap = timedelta(seconds=self._rules.overlap_s)
        known = (
            version
            for version, seen_at in self._certifying.items()
            if version in self._certifiers and seen_at + overlap <= now
        )
        return max(known, default=None)

    async def _look_at_keys(self, *, fresh: bool) -> None:
        """Read the certifying key's versions. Without Vault those that are known go on."""
        self._due.keys = self._clock.monotonic() + _RETRY_S
        try:
            self._certifiers = await self._certifier.public_keys(fresh=fresh)
        except Unavailable:
            if fresh or not self._certifiers:
                raise
            return
        self._due.keys = self._clock.monotonic() + _KEYS_S
        for version in sorted(self._certifiers):
            if version not in self._certifying:
                await self._store.see_certifying_key(version, self._clock.now())
        self._due.reload = 0.0

    async def _reload(self, version: int) -> None:
        now = self._clock.now()
        rows = await self._store.rows(now)
        self._certifying = rows.certifying
        good = await self._good(rows)
        keys = [(each.kid, each.key) for each in good]
        keys += [
            (signers.certifier_kid(number), signers.p256(pem))
            for number, pem in self._certifiers.items()
        ]
        self._published = frozenset(each.kid for each in good)
        told = TrustState(
            self.state.revision + 1,
            signers.jwk_set(keys),
            dict(self._foreign.jwks()),
            rows.revoked_tokens,
            dict(rows.least_generations),
        )
        if told.says() != self.state.says():
            self.state = told
        # Also when nothing changed: it is known to be so now.
        self._on_change(self.state)
        self._seen_version = version
        self._due.reload = self._clock.monotonic() + _RELOAD_S
        async with self._changed:
            self._changed.notify_all()

    async def _good(self, rows: TrustRows) -> list[PublishedSigner]:
        """Return the signers whose statement the certifying key made; each is judged once."""
        if {row.certified_by for row in rows.signers} - set(self._certifiers):
            await self._look_at_keys(fresh=True)
        known, self._statements = self._statements, {}
        good = []
        for row in rows.signers:
            if row.certified_by not in self._certifiers:
                continue
            try:
                found = known.get(row.statement) or signers.certified(
                    row.statement, self._certifiers
                )
            except ValueError:
                _log.error("signer_not_certified", kid=row.kid)
                continue
            if found.certified_by in self._certifiers and found.verifies_until > self._clock.now():
                self._statements[row.statement] = found
                good.append(found)
        return good

    async def _tend(self) -> None:
        """Make the next signer when half of the last one's life is over."""
        now, at = self._clock.now(), self._clock.monotonic()
        self._own = [each for each in self._own if now < each.published.signs_until]
        good = [each for each in self._own if each.published.kid in self._published]
        if at < self._due.signer or any(not each.is_due(now) for each in good):
            return
        self._due.signer = at + _RETRY_S
        await self._make(now)
        self._due.reload = 0.0

    async def _make(self, now: datetime) -> None:
        version = max(self._certifiers)
        made = signers.make(now, version, self._rules)
        signed = signers.statement_input(made.published)
        signature = await self._certifier.sign(signed, version)
        published = made.published
        row = SignerRow(
            published.kid,
            f"{signed.decode()}.{base64url.encode(signature)}",
            version,
            published.usable_from.astimezone(UTC),
            published.signs_until.astimezone(UTC),
            published.verifies_until.astimezone(UTC),
        )
        await self._store.add_signer(row)
        self._own.append(made)
