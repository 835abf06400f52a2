# SPDX-License-Identifier: Apache-2.0
"""Sends back whatever it gets: backend.py PORT"""

import asyncio
import sys


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.close()
    except OSError:
        pass  # the other side has gone


async def serve() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(serve())
