"""Why sealed data is refused: each reason a name of its own, none with the data."""

from __future__ import annotations

from services.common.errors import InvalidArgument


def refused() -> InvalidArgument:
    """Another data key, another binding, or bytes that were changed."""
    return InvalidArgument("ENVELOPE_REFUSED", "The sealed data does not open here.")


def not_sealed() -> InvalidArgument:
    """The first bytes are not the magic."""
    return InvalidArgument("ENVELOPE_NOT_SEALED", "This is no sealed data.")


def unknown_version() -> InvalidArgument:
    """A version that this release does not read."""
    return InvalidArgument("ENVELOPE_VERSION_UNKNOWN", "The sealed data is of another version.")


def unknown_algorithm() -> InvalidArgument:
    """No algorithm of this version, or a stream where a box is wanted."""
    return InvalidArgument("ENVELOPE_ALGORITHM_UNKNOWN", "The algorithm is not of this format.")


def bound_otherwise() -> InvalidArgument:
    """The definition of its binding is unknown, or not that of the binding given."""
    return InvalidArgument("ENVELOPE_BOUND_OTHERWISE", "It is bound to another kind of place.")


def malformed() -> InvalidArgument:
    """A field of the header holds what it cannot."""
    return InvalidArgument("ENVELOPE_MALFORMED", "The header of the sealed data is not valid.")


def truncated() -> InvalidArgument:
    """It ends too early."""
    return InvalidArgument("ENVELOPE_TRUNCATED", "The sealed data is not complete.")


def other_key() -> InvalidArgument:
    """It names another of Vault's keys than the one it is opened with."""
    return InvalidArgument("ENVELOPE_OF_ANOTHER_KEY", "The data is sealed under another key.")


def extended() -> InvalidArgument:
    """There is something after the last chunk of a stream."""
    return InvalidArgument("ENVELOPE_EXTENDED", "The sealed data goes on after its end.")


def repeated() -> InvalidArgument:
    """A chunk of a stream that was there before."""
    return InvalidArgument("ENVELOPE_REPEATED", "A part of the sealed data comes twice.")


def out_of_order() -> InvalidArgument:
    """A chunk of a stream that is not due yet: the due one is missing or comes later."""
    return InvalidArgument("ENVELOPE_OUT_OF_ORDER", "A part of the sealed data is missing here.")


def chunk_too_large() -> InvalidArgument:
    """A chunk, or the chunks a stream announces, are larger than this release takes."""
    return InvalidArgument("ENVELOPE_CHUNK_TOO_LARGE", "A part of the sealed data is too large.")
