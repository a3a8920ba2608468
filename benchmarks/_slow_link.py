"""A link of 20 ms (both ways together) and 100 Mbit/s in front of a port: bytes wait, and leave no faster.

For machines whose kernel has no netem. Each direction of each connection waits by itself; what TCP does on a
real line (slow start, loss) is not there. Arguments: pairs PORT:TARGET.
"""

from __future__ import annotations

import asyncio
import sys
import time

DELAY_S = 0.010
BYTES_S = 100e6 / 8


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, piece = await waiting.get()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if not piece:
                target.close()
                return
            target.write(piece)
            await target.drain()

    task = asyncio.create_task(deliver())
    free = 0.0
    while True:
        try:
            piece = await source.read(16384)
        except OSError:
            piece = b""
        free = max(free, time.perf_counter()) + len(piece) / BYTES_S
        waiting.put_nowait((free + DELAY_S, piece))
        if not piece:
            await task
            return


async def main() -> None:
    servers = []
    for pair in sys.argv[1:]:
        port, target = map(int, pair.split(":"))

        async def accept(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int = target
        ) -> None:
            try:
                to_reader, to_writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                writer.close()
                return
            await asyncio.gather(carry(reader, to_writer), carry(to_reader, writer), return_exceptions=True)

        servers.append(await asyncio.start_server(accept, "127.0.0.1", port))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
