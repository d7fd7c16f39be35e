#!/usr/bin/env python3
"""Makes families of files whose content moves from version to version: rows are inserted, or the oldest are dropped.

usage: move_content.py OUT_DIR
Writes folders of five versions each: rows-inserted and rows-dropped (.npy of 4,000 rows of 128 floats; 120 rows more and 60
fewer, anywhere, or 300 at the front), sorted-ids (.npy of 60,000 int64, 3,000 more, in order), records (20,000 of 25 bytes,
the oldest 3,000 dropped), telemetry-csv and log (15,000 and 8,000 lines, the oldest 3,000 dropped), sqlite (14,000 rows with
an index; 1,500 new, the oldest 1,500 deleted, a seventeenth changed). The same bytes each time, but for SQLite's own; standard library only.
"""
import random
import sqlite3
import struct
import sys
from array import array
from pathlib import Path

VERSIONS = 5


def npy(descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117).encode() + b"\n" + data


def rows(rng, count):
    return [array("f", (rng.gauss(0, 0.09) for _ in range(128))).tobytes() for _ in range(count)]


def rows_inserted(rng):
    table = rows(rng, 4000)
    for _ in range(VERSIONS):
        yield npy("<f4", (len(table), 128), b"".join(table))
        for row in rows(rng, 120):
            table.insert(rng.randrange(len(table)), row)
        for _ in range(60):
            table.pop(rng.randrange(len(table)))


def rows_dropped(rng):
    table = rows(rng, 4000 + 300 * VERSIONS)
    for first in range(0, 300 * VERSIONS, 300):
        yield npy("<f4", (4000, 128), b"".join(table[first:first + 4000]))


def sorted_ids(rng):
    ids = []
    for count in [60000] + [3000] * (VERSIONS - 1):
        ids = sorted(ids + [rng.randrange(1 << 40) for _ in range(count)])
        yield npy("<i8", (len(ids),), array("q", ids).tobytes())


def readings(rng, count):
    temperature, humidity, pressure, total = 20.0, 50.0, 1013.0, 0
    for i in range(count):
        temperature += rng.gauss(0, .05)
        humidity += rng.gauss(0, .1)
        pressure += rng.gauss(0, .02)
        total += rng.randrange(40)
        yield (1700000000000 + 100 * i + rng.randrange(-3, 4), i % 7, round(temperature, 2), round(humidity, 1),
               round(pressure, 3), total, rng.choice(("ok", "ok", "ok", "ok", "warn", "calib")))


def windows(lines, size, step=3000, head=b""):
    for first in range(0, step * VERSIONS, step):
        yield head + b"".join(lines[first:first + size])


def records(rng):
    return windows([struct.pack("<qBfffI", *reading[:6]) for reading in readings(rng, 20000 + 3000 * VERSIONS)], 20000)


def telemetry_csv(rng):
    lines = [("%d,dev-%02d,%s,%s,%s,%d,%s\n" % reading).encode() for reading in readings(rng, 15000 + 3000 * VERSIONS)]
    return windows(lines, 15000, head=b"ts,dev,temp,hum,pres,count,state\n")


def log(rng):
    says = ("request id=%08x took %d ms", "connection from 10.0.%d.%d closed", "sensor read value=%d raw=%d")
    lines = []
    for i in range(8000 + 3000 * VERSIONS):
        text = rng.choice(says) % (rng.randrange(1 << 24 if i % 2 else 255), rng.randrange(255))
        lines.append(f"2026-11-{1 + i // 4000:02d}T{i // 166 % 24:02d}:{i // 3 % 60:02d}:{i % 60:02d}.{rng.randrange(1000):03d}Z "
                     f"{rng.choice(('INFO', 'INFO', 'DEBUG', 'WARN'))} worker-{rng.randrange(8)} {text}\n".encode())
    return windows(lines, 8000)


def sqlite(rng):
    table = list(readings(rng, 14000 + 1500 * VERSIONS))
    database = sqlite3.connect(":memory:")
    database.execute("create table t(ts integer primary key, dev text, temp real, hum real, pres real, n integer, state text)")
    database.execute("create index i on t(dev, temp)")
    done = 0
    for version in range(VERSIONS):
        until = 14000 + 1500 * version
        database.executemany("insert or replace into t values(?,?,?,?,?,?,?)",
                             [(r[0], f"dev-{r[1]:02d}", *r[2:]) for r in table[done:until]])
        if done:
            database.execute("delete from t where ts in (select ts from t order by ts limit 1500)")
            database.execute("update t set state='seen' where n%17=?", (version,))
        database.commit()
        done = until
        yield database.serialize()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    for make in (rows_inserted, rows_dropped, sorted_ids, records, telemetry_csv, log, sqlite):
        folder = Path(sys.argv[1], make.__name__.replace("_", "-"))
        folder.mkdir(parents=True, exist_ok=True)
        for version, data in enumerate(make(random.Random(7))):
            (folder / f"{version}").write_bytes(data)


main()
