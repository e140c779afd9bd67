"""A data folder through time: a newer layout, and a laptop that was closed for too long."""

from __future__ import annotations

import dataclasses
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.local import binaries, children, openbao, parts, ports
from services.local import folder as folders
from services.local.problems import Problem
from services.local.supervisor import running
from tests.integration.local.harness import settings
from vault.bootstrap import layout, minting, root
from vault.bootstrap.client import connect, read, write

pytestmark = pytest.mark.integration

NEW_SERVICE = "notification"


@asynccontextmanager
async def key_server(folder: Path) -> AsyncIterator[openbao.OpenBao]:
    """The OpenBao of a data folder, alone."""
    data = folders.open_folder(folder)
    bao = openbao.OpenBao(data, ports.choose(data, mode="auto"), binaries.find().openbao)
    openbao.write_config(bao)
    child = children.Child(parts.openbao(data, bao))
    await child.start()
    try:
        yield bao
    finally:
        await child.stop()


@asynccontextmanager
async def administrator(bao: openbao.OpenBao, minter: minting.Minter) -> AsyncIterator[hvac.Client]:
    token = minter.root_token((bao.folder.secrets / openbao.RECOVERY_KEY).read_text().strip())
    yield connect(bao.address, token)
    root.revoke(bao.address, token)


def older(new: layout.Layout) -> layout.Layout:
    """A layout as an earlier release had it: fewer domains, keys, roots and services."""
    gone = {"core/pki-device", "core/pki-ftm", "core/pki-domain-root"}
    mounts = [
        dataclasses.replace(mount, ca=dataclasses.replace(mount.ca, parent=""))
        if mount.ca and mount.ca.parent in gone
        else mount
        for mount in new.mounts
        if mount.path not in gone
    ]
    roles = [
        role
        for role in new.certificate_roles
        if role.path.partition("/roles/")[0] not in gone and role.spiffe != NEW_SERVICE
    ]
    text = new.policies["supervisor"]
    begin = text.index(f'path "auth/approle/role/{NEW_SERVICE}')
    policies = {**new.policies, "supervisor": text[:begin] + text[text.index("}", begin) + 1 :]}
    return dataclasses.replace(
        new,
        services=tuple(name for name in new.services if name != NEW_SERVICE),
        mounts=tuple(mounts),
        keys=tuple(key for key in new.keys if key.name != "core/transit/message"),
        certificate_roles=tuple(roles),
        quotas=(),
        policies={name: text for name, text in policies.items() if name != NEW_SERVICE},
    )


async def test_a_folder_of_an_earlier_release_gains_what_the_layout_gained(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = layout.load()
    with monkeypatch.context() as earlier:
        earlier.setattr(layout, "load", lambda: older(new))
        async with key_server(folder) as bao:
            minter, _ = openbao.prepare(bao)
            async with administrator(bao, minter) as client:
                sealed = write(client, "core/transit/encrypt/uin", plaintext="MTIz")["data"]
                ca = (read(client, "core/pki-partner/cert/ca") or {})["certificate"]
            with pytest.raises(hvac.exceptions.VaultError):
                minter.wrapped_secret_id(NEW_SERVICE)

    async with key_server(folder) as bao:
        minter, done = openbao.prepare(bao)
        assert "make the key core/transit/message (aes256-gcm96)" in done
        assert "make the CA of core/pki-device: idmesh device CA" in done
        assert "write auth/approle/role/notification" in done
        assert NEW_SERVICE in bao.role_ids()
        assert minter.wrapped_secret_id(NEW_SERVICE)
        async with administrator(bao, minter) as client:
            opened = write(client, "core/transit/decrypt/uin", ciphertext=sealed["ciphertext"])
            assert opened["data"]["plaintext"] == "MTIz"
            # What has been handed out keeps its CA: a bootstrap replaces none.
            assert (read(client, "core/pki-partner/cert/ca") or {})["certificate"] == ca
        # Nothing of what it took is left behind.
        assert not (bao.folder.secrets / openbao.ROOT_TOKEN).exists()
    async with key_server(folder) as bao:
        assert openbao.prepare(bao)[1] == []


async def test_a_key_that_is_another_type_in_the_folder_stops_the_start_unchanged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = layout.load()
    only = dataclasses.replace(
        new, keys=new.keys[1:2], mounts=new.mounts[:1], certificate_roles=(), quotas=()
    )
    [key] = only.keys
    with monkeypatch.context() as patch:
        patch.setattr(layout, "load", lambda: only)
        async with key_server(folder) as bao:
            openbao.prepare(bao)
    other = dataclasses.replace(
        only,
        keys=(dataclasses.replace(key, type="ed25519"),),
        policies={**only.policies, "audit": "# other\n"},
    )
    with monkeypatch.context() as patch:
        patch.setattr(layout, "load", lambda: other)
        async with key_server(folder) as bao:
            with pytest.raises(Problem, match="Nothing was changed"):
                openbao.prepare(bao)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "load", lambda: only)
        async with key_server(folder) as bao:
            assert openbao.prepare(bao)[1] == [], "the policy stayed as it was"


async def test_it_starts_again_after_every_certificate_and_every_token_has_ended(
    folder: Path,
) -> None:
    """A laptop closed for a week: real certificates of the mesh's CA that have run out."""
    async with running(settings(folder, "audit", "edge")):
        pass
    names = sorted(path.name for path in (folder / "tls").iterdir() if path.is_dir())
    assert {"audit", "gateway", "envoy", "operator-cli"} <= set(names)
    async with key_server(folder) as bao:
        minter, _ = openbao.prepare(bao)
        async with administrator(bao, minter) as client:
            for name in names:
                short_lived(client, folder / "tls" / name, name)
            write(client, "sys/leases/revoke-prefix/auth/approle/login")
    chains = [folder / "tls" / name / "current" / "chain.pem" for name in names]
    before = {path: path.read_bytes() for path in chains}
    last = max(certificate(path).not_valid_after_utc for path in chains)
    time.sleep(max(0.0, (last - datetime.now(UTC)).total_seconds()) + 1.0)
    assert all(certificate(path).not_valid_after_utc < datetime.now(UTC) for path in chains)

    async with running(settings(folder, "audit", "edge")) as mesh:
        for name in ("audit", "edge", "envoy"):
            assert mesh.child(name).state is children.State.READY
            assert mesh.child(name).restarts == 0
        for path in chains:
            assert path.read_bytes() != before[path]
            assert certificate(path).not_valid_after_utc > datetime.now(UTC)
        shown = ssl.get_server_certificate(("127.0.0.1", mesh.ports["edge"]))
        leaf = x509.load_pem_x509_certificate(shown.encode())
        assert leaf.not_valid_after_utc > datetime.now(UTC)


def short_lived(client: hvac.Client, home: Path, name: str) -> None:
    """Put a certificate of the mesh's CA in place that ends within seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    signed = write(
        client,
        f"core/pki/sign/{name}",
        csr=request.public_bytes(serialization.Encoding.PEM).decode(),
        uri_sans=f"spiffe://idmesh.local/{name}",
        alt_names=f"{name}.idmesh",
        ttl="2s",
    )["data"]
    place = home / "ended"
    place.mkdir()
    (place / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (place / "chain.pem").write_text(f"{signed['certificate']}\n{signed['issuing_ca']}\n")
    (place / "ca.pem").write_bytes((home / "current" / "ca.pem").read_bytes())
    (home / "switch").symlink_to("ended")
    (home / "switch").replace(home / "current")


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())
