#!/usr/bin/env python3
"""Leaves payments waiting for their payers' one-time keys, and tells what the switch takes for each.

    waiting.py ADDRESS API-KEY COUNT PID

ADDRESS is the switch's JSON API, whose rail `c2p` goes to a bank that asks for a key; PID is the
switch's process. Prints its resident memory for each payment beyond the first tenth, and its processor
time in ten seconds in which nothing happens.
"""

import asyncio
import sys
import time

CONNECTIONS = 64
IDLE_S = 10


def resident(pid: int) -> int:
    """Resident memory in bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def processor_s(pid: int) -> float:
    """Processor time so far, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def pay(address: str, key: str, numbers) -> int:
    """Starts payments over one connection; how many wait."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    waiting = 0
    for number in numbers:
        body = (
            f'{{"rail":"c2p","amount":{{"currency":"VES","minor":15000}},"bill":"W-{number}",'
            '"payer":{"doc":"V12345678","phone":"04140000000","bank_code":"0105"}}'
        ).encode()
        head = (
            f"POST /v1/payments HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n"
            f"idempotency-key: wait-{number}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode()
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in answer.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        told = await reader.readexactly(length)
        waiting += b'"awaiting_payer"' in told
    writer.close()
    return waiting


async def fill(address: str, key: str, numbers: range) -> None:
    numbers = iter(numbers)
    told = await asyncio.gather(*(pay(address, key, numbers) for _ in range(CONNECTIONS)))
    print(f"{sum(told)} payments more wait for their payers")


def main() -> None:
    address, key, count, pid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    first = count // 10
    asyncio.run(fill(address, key, range(first)))
    time.sleep(2)
    before = resident(pid)
    asyncio.run(fill(address, key, range(first, count + first)))
    time.sleep(2)
    print(f"resident memory: {(resident(pid) - before) / count:.0f} bytes for each of {count}")
    # Rows of payments that are a second old are written in the meantime.
    for _ in range(2):
        before = processor_s(pid)
        time.sleep(IDLE_S)
        print(f"processor time in {IDLE_S} s without requests: {processor_s(pid) - before:.2f} s")


main()
