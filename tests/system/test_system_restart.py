"""The mesh is stopped and started by its commands; state survives, clients go on."""

from __future__ import annotations

import asyncio

from services.common.errors import Unavailable
from services.local import control
from services.local.sandbox.partner import RelyingParty
from tests.fakes.mesh import Enrolled, World, within
from tests.fakes.mesh_otlp import Received
from tests.fakes.mesh_process import idmesh, start


async def test_no_process_was_started_again_on_the_way(world: World) -> None:
    processes = control.ask(world.mesh.folder, "status")["processes"]
    assert {one["name"]: one["restarts"] for one in processes if one["restarts"]} == {}


async def test_after_a_stop_and_a_start_people_are_known_and_further_ones_enrol(
    world: World, bank: RelyingParty, alice: Enrolled, otlp: Received
) -> None:
    folder = world.mesh.folder.root
    replayed = bank.prepare(alice.right)
    assert (await bank.send(replayed)).ok
    # Beside the loop, so that the client sees its connections end.
    await asyncio.to_thread(idmesh, folder, "down")
    await asyncio.to_thread(start, folder, otlp)

    async def known() -> bool:
        try:
            await world.operator.registration(alice.registration_id)
        except Unavailable:
            return False
        return (await bank.authenticate(alice.right)).ok

    # The supervisor says ready once the edge answers; channels from before reconnect by then.
    await within(5.0, known)
    assert (await bank.send(replayed)).errors == ("IDA-MLC-009",)
    carol = await world.enrol()
    assert (await bank.authenticate(carol.right)).ok
