"""Name constraints of X.509 authorities, as far as names of partners and devices go.

Source: RFC 5280, 4.2.1.10. A kind of name that is not understood here is refused where an
authority constrains it and the certificate bears one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cryptography import x509


def permits(authority: x509.Certificate, below: Sequence[x509.Certificate]) -> bool:
    """Tell whether an authority's constraints leave room for the certificates below it."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return all(
        _is_allowed(name, constraints.permitted_subtrees, constraints.excluded_subtrees)
        for certificate in below
        for name in _names(certificate)
    )


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    if list(certificate.subject):
        names.append(x509.DirectoryName(certificate.subject))
    try:
        names += certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        mails = certificate.subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS)
        names += [x509.RFC822Name(str(mail.value)) for mail in mails]
    return names


def _is_allowed(
    name: x509.GeneralName,
    permitted: Sequence[x509.GeneralName] | None,
    excluded: Sequence[x509.GeneralName] | None,
) -> bool:
    same = [tree for tree in permitted or () if type(tree) is type(name)]
    if same and not any(_is_below(name, tree) is True for tree in same):
        return False
    against = [tree for tree in excluded or () if type(tree) is type(name)]
    return all(_is_below(name, tree) is False for tree in against)


def _is_below(name: x509.GeneralName, tree: x509.GeneralName) -> bool | None:
    """Return None for a kind that is not understood: neither permitted nor free."""
    match name, tree:
        case x509.DirectoryName(), x509.DirectoryName():
            own, above = list(name.value.rdns), list(tree.value.rdns)
            return own[: len(above)] == above
        case x509.DNSName(), x509.DNSName():
            return _is_subdomain(name.value, tree.value)
        case x509.RFC822Name(), x509.RFC822Name():
            return _mail_is_below(name.value.lower(), tree.value.lower())
        case x509.IPAddress(), x509.IPAddress():
            network = tree.value
            assert isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network)
            return name.value in network
    return None


def _is_subdomain(name: str, tree: str) -> bool:
    name, tree = name.lower(), tree.lower().lstrip(".")
    return not tree or name == tree or name.endswith(f".{tree}")


def _mail_is_below(name: str, tree: str) -> bool:
    if "@" in tree:
        return name == tree
    host = name.rpartition("@")[2]
    return host.endswith(tree) if tree.startswith(".") else host == tree
