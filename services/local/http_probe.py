"""The few HTTP requests a supervisor makes to its children's loopback pages."""

from __future__ import annotations

import asyncio


async def request(port: int, path: str, *, method: str = "GET", timeout_s: float = 2.0) -> int:
    """Return the status code, or 0 where nobody answers."""
    return (await fetch(port, path, method=method, timeout_s=timeout_s))[0]


async def fetch(
    port: int, path: str, *, method: str = "GET", timeout_s: float = 2.0
) -> tuple[int, str]:
    """Return the status code and the body; (0, "") where nobody answers."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(port, path, method)
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0, ""


async def _exchange(port: int, path: str, method: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode(errors="replace")
    finally:
        writer.close()
    top, _, body = answer.partition("\r\n\r\n")
    return int(top.split(" ")[1]), body
