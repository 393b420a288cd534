"""Reading what a server sends, up to a size and for a time."""

import time
from collections.abc import AsyncIterator

from httpx2 import AsyncByteStream  # the client library of the openai package

MOST_BYTES = 16 << 20


class BoundedStream(AsyncByteStream):
    """A body that fails, as a broken connection does, where it goes beyond its bounds."""

    def __init__(self, body: AsyncByteStream, seconds: float) -> None:
        self.body, self.seconds = body, seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, end = 0, time.monotonic() + self.seconds
        async for chunk in self.body:
            size += len(chunk)
            if size > MOST_BYTES:
                raise OSError(f"an answer of more than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise OSError(f"an answer that was not whole after {self.seconds:g} s")
            yield chunk

    async def aclose(self) -> None:
        await self.body.aclose()
