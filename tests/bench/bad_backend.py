# SPDX-License-Identifier: Apache-2.0
"""A server over HTTP that can be told to behave badly: `bad_backend.py ADDRESS PORT`, a word a line on stdin."""

import asyncio
import contextlib
import socket
import struct
import sys

ANSWER = b"HTTP/1.0 %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
FLAP = 0.2  # seconds up, and as long down


class Backend:
    def __init__(self, address: str, port: int) -> None:
        self.place = (address, port)
        self.manner = "good"  # or "resets", "answers-500", "flaps"
        self.server: asyncio.Server | None = None

    async def listen(self) -> None:
        if not self.server:
            self.server = await asyncio.start_server(self.serve, *self.place, backlog=1024)

    async def stop(self) -> None:
        if self.server:
            self.server.close()
            self.server = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if self.manner == "resets":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           struct.pack("ii", 1, 0))
            else:
                bad = self.manner == "answers-500"
                writer.write(ANSWER % (b"500 Internal Server Error" if bad else b"200 OK"))
                await writer.drain()
        writer.close()

    async def flap(self) -> None:
        while self.manner == "flaps":
            await self.stop()
            await asyncio.sleep(FLAP)
            await self.listen()
            await asyncio.sleep(FLAP)

    async def run(self) -> None:
        await self.listen()
        print("ready", flush=True)
        flapping = None
        while line := await asyncio.to_thread(sys.stdin.readline):
            self.manner = line.strip()
            if flapping:
                await flapping
            flapping = asyncio.create_task(self.flap()) if self.manner == "flaps" else None
            await self.listen()


if __name__ == "__main__":
    asyncio.run(Backend(sys.argv[1], int(sys.argv[2])).run())
