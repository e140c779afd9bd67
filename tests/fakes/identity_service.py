"""The identity service's use cases, put together over any store and any vault."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import cast

from services.common import ids
from services.common.clock import Clock
from services.common.vault import VaultClient
from services.identity.clients.vault import VaultKeys
from services.identity.domain.record import ContactFields, Modality, Record, Template
from services.identity.domain.vid import DEFAULT_POLICIES
from services.identity.ports import Messages, Store
from services.identity.usecases.create_identity import CreateIdentity
from services.identity.usecases.end_vids import ExpireVids
from services.identity.usecases.fill_pool import FillPool
from services.identity.usecases.find_individual import FindIndividual
from services.identity.usecases.get_record import GetRecord
from services.identity.usecases.issue_vid import IssueVid
from services.identity.usecases.notify_individual import NotifyIndividual
from services.identity.usecases.publish_identity import PublishIdentity
from services.identity.usecases.set_state import SetState
from services.identity.usecases.vids import CreateVid, ListVids, RevokeVid
from tests.fakes.vault import FakeVault


@dataclass
class IdentityUnderTest:
    store: Store
    keys: VaultKeys
    create: CreateIdentity
    publish: PublishIdentity
    notify: NotifyIndividual
    get_record: GetRecord
    set_state: SetState
    find: FindIndividual
    create_vid: CreateVid
    revoke_vid: RevokeVid
    list_vids: ListVids
    expire: ExpireVids
    fill: FillPool


def assemble(
    store: Store,
    vault: FakeVault | VaultClient,
    messages: Messages,
    clock: Clock,
    *,
    rng: random.Random | None = None,
    pool_low: int = 5,
    limit: int = 1_000_000,
) -> IdentityUnderTest:
    keys = VaultKeys(cast(VaultClient, vault))
    fill = FillPool(store, keys, lambda: ids.draw_uin(12, rng), low=pool_low, limit=limit)
    find = FindIndividual(store, keys, clock)
    issue = IssueVid(keys, lambda: ids.draw_vid(rng=rng), DEFAULT_POLICIES)
    return IdentityUnderTest(
        store=store,
        keys=keys,
        create=CreateIdentity(store, keys, clock, fill),
        publish=PublishIdentity(store, keys, clock, issue),
        notify=NotifyIndividual(store, keys, messages, clock, ContactFields()),
        get_record=GetRecord(store, keys),
        set_state=SetState(store, keys, clock, find),
        find=find,
        create_vid=CreateVid(store, keys, clock, find, issue),
        revoke_vid=RevokeVid(store, keys, clock, find, issue),
        list_vids=ListVids(store, keys, find),
        expire=ExpireVids(store, clock),
        fill=fill,
    )


def a_record(name: str = "Amina Diallo", email: str = "amina@example.org") -> Record:
    identity = {
        "IDSchemaVersion": 0.1,
        "fullName": [{"language": "eng", "value": name}],
        "dateOfBirth": "1990/02/03",
        "email": email,
    }
    templates = (Template(Modality.FINGER, 2, b"minutiae"),)
    return Record(json.dumps(identity), 0.1, templates)
