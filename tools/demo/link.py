#!/usr/bin/env python3
"""A network link that counts: forwards TCP from one loopback port to another, and writes the bytes of each direction.

usage: link.py LISTEN_PORT TARGET_PORT COUNTERS
COUNTERS becomes a JSON file {"up": bytes, "down": bytes}, made anew several times a second. Kill the process: the link is cut.
"""
import asyncio
import json
import os
import sys

listen_port, target_port, counters_path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
counters = {"up": 0, "down": 0}
if os.path.exists(counters_path):
    with open(counters_path) as file:
        counters = json.load(file)


async def pump(reader, writer, direction):
    try:
        while data := await reader.read(65536):
            counters[direction] += len(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def forward(reader, writer):
    try:
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", target_port)
    except ConnectionError:
        writer.close()
        return
    await asyncio.gather(pump(reader, broker_writer, "up"), pump(broker_reader, writer, "down"))


async def main():
    server = await asyncio.start_server(forward, "127.0.0.1", listen_port)
    async with server:
        while True:
            with open(counters_path + ".new", "w") as file:
                json.dump(counters, file)
            os.replace(counters_path + ".new", counters_path)
            await asyncio.sleep(0.1)


asyncio.run(main())
