"""Whatever the bytes: a box or a stream opens to what was sealed, or raises InvalidArgument."""

from contextlib import suppress

from services.common.envelope import (
    Aad,
    key_used,
    open_,
    open_stream,
    seal,
    seal_stream,
    stream_key_used,
    with_wrapped_key,
    with_wrapped_stream_key,
    wrapped_key,
)
from services.common.errors import InvalidArgument
from services.common.vault import DataKey

KEY = DataKey(bytes(32), "vault:v1:" + "A" * 80, "core/transit/record")
ANEW = "vault:v2:" + "B" * 80
AAD = Aad("fuzz", b"1", 1)
PLAIN = b"some plain bytes"


def seeds() -> list[bytes]:
    """Return inputs that reach deep, to start from."""
    stream = b"".join(seal_stream(KEY, [PLAIN], AAD, chunk_bytes=5))
    return [seal(KEY, PLAIN, AAD), b"IDM\x01\x01\0\x0dvault:v1:AAAA" + bytes(40), stream]


def fuzz_one(data: bytes) -> None:
    """Read data as a box and as a stream; what opens is what was sealed."""
    with suppress(InvalidArgument):
        key_used(data)
        wrapped = wrapped_key(data)
        anew = with_wrapped_key(data, ANEW)
        assert wrapped_key(anew) == ANEW
        assert len(anew) - len(data) == len(ANEW) - len(wrapped) or data[3] == 2
    with suppress(InvalidArgument):
        assert open_(KEY.plaintext, data, AAD) == PLAIN
    with suppress(InvalidArgument):
        stream_key_used(data)
        head, length = with_wrapped_stream_key(data, ANEW)
        assert with_wrapped_stream_key(head + data[length:], ANEW)[0] == head
    with suppress(InvalidArgument):
        opened = b"".join(open_stream([data[:70], data[70:]], AAD, lambda *_: KEY.plaintext))
        assert opened == PLAIN
