"""Reading HTTP/1.1 answers as they come in pieces: by length or in chunks, nothing else.

Source: RFC 9112, sections 4, 6 and 7.1. What it leaves open, or says to put up with, is refused.
"""

from __future__ import annotations

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024
_NO_BODY = frozenset({204, 304})
_STATUS_LINE_PARTS = 3
_MAX_DIGITS = 9


class AnswerMalformedError(ValueError):
    """It is no answer, or one that could be read in two ways, or too long."""


class AnswerReader:
    """One answer: feed it until it is done, then make another.

    Attributes:
        status: of the answer; informational ones are passed over.
        body: whole once done.
        keep_alive: whether the connection may be used again.
        surplus: bytes that came after the answer.
    """

    def __init__(self) -> None:
        self.status = 0
        self.keep_alive = True
        self.body = b""
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._size = 0
        # Of the body or of the present chunk; None: not known yet.
        self._left: int | None = None
        self._chunked = False
        self._in_trailers = False

    @property
    def surplus(self) -> bool:
        """Whether more came than the answer."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> bool:
        """Take what came; return whether the answer is whole.

        Raises:
            AnswerMalformedError: end the connection.
        """
        self._buffer += data
        while not self.status:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise AnswerMalformedError("the head is too long")
                return False
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._read_head(head)
        done = self._read_chunks() if self._chunked else self._take()
        if done:
            self.body = b"".join(self._parts)
        return done

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        parts = first.split(b" ", 2)
        if (
            len(parts) < _STATUS_LINE_PARTS - 1
            or parts[0] != b"HTTP/1.1"
            or not _is_status(parts[1])
        ):
            raise AnswerMalformedError("no status line")
        status = int(parts[1])
        if status < 200:
            return
        lengths, encodings = [], []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                raise AnswerMalformedError("no header")
            name, value = name.lower(), value.strip()
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                encodings.append(value.lower())
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
        self._frame(status, lengths, encodings)
        self.status = status

    def _frame(self, status: int, lengths: list[bytes], encodings: list[bytes]) -> None:
        if encodings == [b"chunked"] and not lengths:
            self._chunked = True
        elif len(lengths) == 1 and not encodings:
            self._expect(_number(lengths[0], 10))
        elif not lengths and not encodings and status in _NO_BODY:
            self._expect(0)
        else:
            raise AnswerMalformedError("the length is not plain")

    def _expect(self, size: int) -> None:
        self._size += size
        if self._size > MAX_BODY_BYTES:
            raise AnswerMalformedError("the body is too long")
        self._left = size

    def _take(self) -> bool:
        """Take what is there of the body or chunk; return whether that is all of it."""
        assert self._left is not None
        part = bytes(self._buffer[: self._left])
        del self._buffer[: len(part)]
        self._parts.append(part)
        self._left -= len(part)
        return self._left == 0

    def _read_chunks(self) -> bool:
        while True:
            if self._left and not self._take():
                return False
            line = self._line()
            if line is None:
                return False
            if self._in_trailers:
                if not line:
                    return True
            elif self._left == 0:
                # The line end after a chunk's data.
                if line:
                    raise AnswerMalformedError("a chunk is longer than it said")
                self._left = None
            else:
                self._expect(_number(line.partition(b";")[0].strip(), 16))
                if self._left == 0:
                    self._left = None
                    self._in_trailers = True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise AnswerMalformedError("a line is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _is_status(text: bytes) -> bool:
    return len(text) == 3 and text.isdigit()


def _number(text: bytes, base: int) -> int:
    # int() alone also takes signs, blanks and underscores.
    if not text.isalnum() or len(text) > _MAX_DIGITS:
        raise AnswerMalformedError("no length")
    try:
        return int(text, base)
    except ValueError:
        raise AnswerMalformedError("no length") from None
