"""The client against a cluster of three: nodes that die, hang, are sealed or cannot audit."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from services.common.errors import Unavailable
from services.common.vault import VaultClient, VaultLimits
from tests.fakes import vaults
from tests.fakes.vault_cluster import VaultCluster, start_cluster

pytestmark = [pytest.mark.integration, pytest.mark.vault]

RULES = ("contract/transit/* create update read", "contract/transit/keys/* create update read")
LOOKUP, RECORD = "contract/transit/lookup", "contract/transit/record"
LIMITS = VaultLimits(call_s=2.0, open_s=0.1, open_max_s=0.3)
WAIT_S = 30.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[VaultCluster]:
    started = start_cluster()
    vaults.mount(started, "contract/transit", "transit")
    vaults.role(started, "client", *RULES)
    yield started
    started.end()


@pytest.fixture
async def client(cluster: VaultCluster) -> AsyncIterator[VaultClient]:
    async with VaultClient(vaults.login(cluster, "client"), limits=LIMITS) as opened:
        await opened.create_key(LOOKUP, "hmac")
        await opened.create_key(RECORD, "aes256-gcm96")
        yield opened


class Load:
    """Callers that use keys all the time; whatever fails them is kept."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self.answered = 0
        self.slowest_s = 0.0
        self.failures: list[Exception] = []

    async def caller(self, number: int) -> None:
        while True:
            text = f"{number}:{self.answered}".encode()
            began = time.monotonic()
            try:
                await self._client.hmac(LOOKUP, [text])
                [ciphertext] = await self._client.encrypt(RECORD, [text])
                assert await self._client.decrypt(RECORD, [ciphertext]) == [text]
                await self._client.datakey(RECORD)
            except Unavailable as error:
                self.failures.append(error)
                await asyncio.sleep(0.05)
            else:
                self.answered += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def more(self, rounds: int) -> None:
        """Wait until so many more rounds were answered."""
        wanted = self.answered + rounds
        async with asyncio.timeout(WAIT_S):
            while self.answered < wanted:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def load(client: VaultClient) -> AsyncIterator[Load]:
    made = Load(client)
    tasks = [asyncio.create_task(made.caller(number)) for number in range(4)]
    try:
        await made.more(20)
        yield made
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


async def test_no_call_fails_when_the_leader_is_killed(
    cluster: VaultCluster, client: VaultClient
) -> None:
    leader = await cluster.aside(cluster.leader)
    async with load(client) as callers:
        leader.signal(signal.SIGKILL)
        await callers.more(50)
        assert callers.failures == []
        # What only a leader can do is possible again after an election, by the same client.
        await cluster.aside(cluster.leader)
        await until(lambda: client.rotate_key(RECORD))
        await callers.more(10)
        await cluster.aside(lambda: cluster.start(leader))
        await callers.more(10)
        assert callers.failures == []


async def test_a_node_that_hangs_delays_and_fails_no_call(
    cluster: VaultCluster, client: VaultClient
) -> None:
    async with load(client) as callers:
        hanging = cluster.nodes[0]
        hanging.signal(signal.SIGSTOP)
        try:
            await callers.more(50)
        finally:
            hanging.signal(signal.SIGCONT)
        await callers.more(10)
        assert callers.failures == []
        assert callers.slowest_s < 4 * (LIMITS.call_s / 2)


async def test_sealed_is_said_and_ends_with_the_unsealing(
    cluster: VaultCluster, client: VaultClient
) -> None:
    [before] = await client.encrypt(RECORD, [b"before"])
    async with load(client) as callers:
        await cluster.aside(cluster.seal)
        error = await refusal(client, "VAULT_SEALED")
        assert error.retry_after_s
        await cluster.aside(cluster.unseal)
        # The same login, nothing started anew.
        await callers.more(20)
        assert callers.failures
    assert await client.decrypt(RECORD, [before]) == [b"before"]


async def test_a_node_whose_audit_disk_is_full_is_passed_over_and_all_of_them_are_waited_for(
    cluster: VaultCluster, client: VaultClient
) -> None:
    leader = await cluster.aside(cluster.leader)
    standbys = [node for node in cluster.nodes if node is not leader]
    async with load(client) as callers:
        cluster.fill_audit_disk(standbys[0])
        await callers.more(50)
        assert callers.failures == []
        cluster.fill_audit_disk(leader, standbys[1])
        await refusal(client, "VAULT_UNAVAILABLE")
        cluster.empty_audit_disk(*cluster.nodes)
        await callers.more(20)


async def until(act: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await act()
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def refusal(client: VaultClient, reason: str) -> Unavailable:
    """Return the refusal with this reason, once there is one."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await client.hmac(LOOKUP, [b"x"])
            except Unavailable as error:
                if error.reason == reason:
                    return error
            await asyncio.sleep(0.05)
