"""Certificate authorities: made by the server, or their requests signed by a root kept offline.

Offline, the root's mount holds the root's certificate and no key; `requests` writes the requests
of the authorities below it, `install` takes what was signed. `vault/offline_root.py` signs, on a
machine that no network reaches; openssl does too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import hvac
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from vault.bootstrap.client import names, read, write
from vault.bootstrap.difference import Change, ConflictError, Findings
from vault.bootstrap.layout import Authority, Layout, Mount

LAST_PART = 0.1


def find_authority(client: hvac.Client, mount: Mount, ca: Authority, found: Findings) -> None:
    """A CA that is missing is made by the server; one that is there is never replaced."""
    certificate = present(client, mount)
    if certificate is None:
        found.changes.append(
            Change(
                f"make the CA of {mount.path}: {ca.common_name}", lambda: make(client, mount, ca)
            )
        )
    else:
        _look_at(client, mount, ca, certificate, found)
    find_revocation(client, mount, found)


def find_revocation(client: hvac.Client, mount: Mount, found: Findings) -> None:
    """Whether the mount's revocation list keeps itself."""
    if mount.revocable:
        wanted = {"auto_rebuild": True, "auto_rebuild_grace_period": "12h", "expiry": "72h"}
        found.compare(client, f"{mount.path}/config/crl", wanted)


def present(client: hvac.Client, mount: Mount) -> x509.Certificate | None:
    """The certificate of a mount's CA, or None where it has none yet."""
    issuers = read(client, f"{mount.path}/config/issuers")
    if not (issuers and issuers.get("default")):
        return None
    issuer = read(client, f"{mount.path}/issuer/{issuers['default']}")
    assert issuer is not None
    return x509.load_pem_x509_certificate(issuer["certificate"].encode())


def make(client: hvac.Client, mount: Mount, ca: Authority) -> None:
    """Make a root, or an authority signed by its parent in this server."""
    body = {
        "common_name": ca.common_name,
        "key_type": ca.key_type,
        "key_bits": ca.key_bits,
        "ttl": f"{ca.ttl_s}s",
    }
    if not ca.parent:
        write(client, f"{mount.path}/root/generate/internal", **body, issuer_name="root")
        return
    signed = write(
        client,
        f"{ca.parent}/root/sign-intermediate",
        csr=_request(client, mount, ca),
        common_name=ca.common_name,
        max_path_length=0,
        ttl=f"{ca.ttl_s}s",
        format="pem_bundle",
    )
    set_signed(client, mount, signed["data"]["certificate"])


def set_signed(client: hvac.Client, mount: Mount, bundle: str) -> None:
    """Install a signed authority, its chain below it, and make it the one that signs."""
    done = write(client, f"{mount.path}/intermediate/set-signed", certificate=bundle)["data"]
    mapping = done.get("mapping") or {}
    own = [issuer for issuer, key in mapping.items() if key]
    if len(own) == 1:
        write(client, f"{mount.path}/config/issuers", default=own[0])


def requests(client: hvac.Client, layout: Layout, folder: Path) -> list[str]:
    """Write `<mount>.csr.pem` for every authority whose root is elsewhere. Returns their names.

    One that has a request in the folder already, or a certificate in the server, gets none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for mount, ca in _below_roots(layout):
        path = folder / f"{file_name(mount)}.csr.pem"
        if present(client, mount) is None and not path.exists():
            path.write_text(_request(client, mount, ca).strip() + "\n")
            written.append(path.name)
    return written


def install(client: hvac.Client, layout: Layout, folder: Path) -> list[str]:
    """Install the signed certificates of a folder. Returns what was done; nothing the second time.

    Raises:
        ConflictError: a certificate is missing, not signed by its root, no authority, for
            another request, or the server has a CA that is none of these. Nothing was changed.
    """
    roots = {mount.path: _certificate(folder, mount) for mount in layout.mounts if _is_root(mount)}
    wanted = []
    for mount, ca in _below_roots(layout):
        certificate = _certificate(folder, mount)
        _check(certificate, roots[ca.parent], mount)
        wanted.append((mount, certificate, roots[ca.parent]))
    signed = {mount.path: certificate for mount, certificate, _ in wanted}
    for mount in layout.mounts:
        expected = (roots | signed).get(mount.path)
        live = present(client, mount) if expected else None
        if live is not None and live != expected:
            raise ConflictError(f"{mount.path} has another CA already")
    done = []
    for mount in layout.mounts:
        if mount.path in roots and present(client, mount) is None:
            _import_root(client, mount, roots[mount.path])
            done.append(f"install the root of {mount.path}, without its key")
    for mount, certificate, root in wanted:
        if present(client, mount) is None:
            set_signed(client, mount, _pem(certificate) + _pem(root))
            done.append(f"install the CA of {mount.path}")
    return done


def _import_root(client: hvac.Client, mount: Mount, root: x509.Certificate) -> None:
    """Install a root without its key; one without a key is nobody's default by itself."""
    write(client, f"{mount.path}/issuers/import/cert", pem_bundle=_pem(root))
    for issuer in names(client, f"{mount.path}/issuers"):
        pem = (read(client, f"{mount.path}/issuer/{issuer}") or {})["certificate"]
        if x509.load_pem_x509_certificate(pem.encode()) == root:
            write(client, f"{mount.path}/config/issuers", default=issuer)


def file_name(mount: Mount) -> str:
    """What a mount's request and certificate are called."""
    return mount.path.replace("/", "-")


def _below_roots(layout: Layout) -> list[tuple[Mount, Authority]]:
    return [(mount, mount.ca) for mount in layout.mounts if mount.ca and mount.ca.parent]


def _is_root(mount: Mount) -> bool:
    return mount.ca is not None and not mount.ca.parent


def _request(client: hvac.Client, mount: Mount, ca: Authority) -> str:
    body = {"common_name": ca.common_name, "key_type": ca.key_type, "key_bits": ca.key_bits}
    answer = write(client, f"{mount.path}/intermediate/generate/internal", **body)
    return str(answer["data"]["csr"])


def _certificate(folder: Path, mount: Mount) -> x509.Certificate:
    path = folder / f"{file_name(mount)}.pem"
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise ConflictError(f"{path.name} is missing in {folder}") from None
    except ValueError:
        raise ConflictError(f"{path.name} is no certificate") from None


def _check(certificate: x509.Certificate, root: x509.Certificate, mount: Mount) -> None:
    try:
        certificate.verify_directly_issued_by(root)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature):
        raise ConflictError(f"{mount.path}: not signed by {root.subject}") from None
    except x509.ExtensionNotFound:
        raise ConflictError(f"{mount.path}: the certificate is no authority's") from None
    if not constraints.ca:
        raise ConflictError(f"{mount.path}: the certificate is no authority's")


def _look_at(
    client: hvac.Client, mount: Mount, ca: Authority, live: x509.Certificate, found: Findings
) -> None:
    """Note what is odd about a CA; replacing one is a rotation, never a bootstrap."""
    self_signed = live.issuer == live.subject
    if self_signed is bool(ca.parent):
        kind = "self-signed" if self_signed else "signed by another"
        found.drift.append(f"{mount.path}: its CA is {kind}, unlike here: kept")
    begin, end = live.not_valid_before_utc, live.not_valid_after_utc
    if datetime.now(UTC) > end - (end - begin) * LAST_PART:
        found.drift.append(f"{mount.path}: its CA ends on {end:%Y-%m-%d}: rotate it")


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()
