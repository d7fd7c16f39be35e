#!/usr/bin/env python3
"""What the agent takes: size on disk, memory, time to start, work and bytes written when idle.

usage: footprint.py BIN [--only size|run|all] [--root ROOT] [--idle-seconds N] [--rounds N] [--json]
BIN is the folder of the programs of a build. `size` reads files only, of any architecture; ROOT is the root file system that a
cross build was made against. `run` starts a broker with TLS, a hub and the agent on loopback. Figures are medians of the rounds,
each with a new state. `shared`: hub and broker on this machine use the same library files, so PSS counts a part of them; `alone`: all
libraries but glibc are the agent's own copies, as on a board where nothing else uses them. Exits 1 if a hold is missed or a library
came to PACKAGES.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import process
import size
from rig import Broken, Rig, wait_for

MB, MIB = 1_000_000, 1 << 20
CHECKPOINT_BYTES = 100 * MB
SETTLE_S = 15  # after the start: the first words with the hub, what the allocator gives back

# Debian packages whose libraries the agent loads, beyond a minimal Debian.
PACKAGES = {"libisal2", "libmbedcrypto7", "libmosquitto1", "libsqlite3-0", "libssl3"}

HOLDS = [  # path in the answer, at most, unit
    ("size.total_bytes", 12 * MB, MB),
    ("shared.idle.pss", 10 * MIB, MIB), ("shared.idle.rss", 16 * MIB, MIB),
    ("shared.busy.pss", 20 * MIB, MIB), ("shared.busy.rss", 32 * MIB, MIB),
]


def measure_size(arguments):
    program = Path(arguments.bin) / "tributary-agent"
    libraries = size.libraries(program, arguments.root)
    beyond = [library for library in libraries if not library["in_minimal_debian"]]
    out = {
        "machine": size.triple_of(program), "program_bytes": size.stripped_bytes(program),
        "libraries_bytes": sum(library["bytes"] for library in beyond), "libraries": libraries, "sections": size.sections(program),
    }
    out["total_bytes"] = out["program_bytes"] + out["libraries_bytes"]
    map_file = Path(f"{program}.map")
    out["parts"] = size.parts(map_file) if map_file.exists() else None
    return out


# ---- running ----

def time_of_true():
    began = time.monotonic()
    subprocess.run(["true"], check=True)
    return time.monotonic() - began


def measure_start(rig):
    """From the start of the process until it is connected with TLS, its store being there; beside the shell's `true`."""
    rig.start_agent()
    rig.stop("agent")
    starts, trues = [], []
    for _ in range(7):
        trues.append(time_of_true())
        starts.append(rig.start_agent()[1])
        rig.stop("agent")
    start, true = statistics.median(starts), statistics.median(trues)
    return {"connected_ms": start * 1000, "true_ms": true * 1000, "ratio": start / true}


def measure_hour(pid, seconds):
    """What it does while nothing happens, for an hour."""
    before = process.work(pid)
    time.sleep(seconds)
    after = process.work(pid)
    return {"measured_s": seconds, "threads": process.threads(pid),
            **{f"{name}_per_hour": (after[name] - before[name]) * 3600 / seconds for name in before}}


def write_checkpoint(path):
    """Random bytes: nothing to save, so that all of it is stored and sent."""
    with open(path, "wb") as file:
        for _ in range(CHECKPOINT_BYTES // MB):
            file.write(os.urandom(MB))


def measure_busy(rig, pid):
    checkpoint = rig.home / "checkpoint.bin"
    write_checkpoint(checkpoint)
    stored, before = rig.status()["stored_bytes"], process.work(pid)
    with process.Peak(pid) as peak:
        began = time.monotonic()
        rig.agent("commit", "--repo", "lab/model", checkpoint)
        recorded = time.monotonic()
        wait_for("the hub has it", lambda: time.sleep(0.1) or rig.synced())
        synced = time.monotonic()
    after, status = process.work(pid), rig.status()
    if status["stored_bytes"] - stored < CHECKPOINT_BYTES or status["sent_bytes"] < CHECKPOINT_BYTES:
        raise Broken(f"less than a whole checkpoint went through: {status}")
    return {**peak.greatest, "samples": peak.samples, "record_s": recorded - began, "sync_s": synced - recorded,
            "cpu_ms": after["cpu_ms"] - before["cpu_ms"],
            "disk_ratio": (after["disk_bytes"] - before["disk_bytes"]) / CHECKPOINT_BYTES}


def measure_memory(rig, alone):
    """Idle, then while it records and syncs a checkpoint, then idle again."""
    pid, _ = rig.start_agent(alone)
    time.sleep(SETTLE_S)
    out = {"idle": process.memory(pid), "owners": process.memory_by_owner(pid), "busy": measure_busy(rig, pid)}
    time.sleep(SETTLE_S)
    out["after"] = process.memory(pid)
    rig.stop("agent")
    return out


def measure_round(arguments):
    with Rig(arguments.bin) as rig:
        rig.start_broker_and_hub()
        out = {"start": measure_start(rig)}
        pid, _ = rig.start_agent()
        time.sleep(SETTLE_S)
        out["hour"] = measure_hour(pid, arguments.idle_seconds)
        rig.stop("agent")
        out["shared"] = measure_memory(rig, alone=False)
        out["alone"] = measure_memory(rig, alone=True)
        return out


def median_of(values):
    first = values[0]
    if isinstance(first, dict):
        return {key: median_of([value[key] for value in values if key in value]) for key in first}
    return statistics.median(values)


# ---- telling ----

def lookup(answer, path):
    for key in path.split("."):
        answer = answer.get(key) if answer else None
    return answer


def report(answer):
    if "size" in answer:
        found = answer["size"]
        print(f"{found['machine']}: program {found['program_bytes'] / MB:.2f} MB stripped, libraries beyond a minimal Debian "
              f"{found['libraries_bytes'] / MB:.2f} MB")
        for library in found["libraries"]:
            print(f"  {library['bytes'] / 1000:8.0f} kB  {library['name']}{'  (minimal Debian)' if library['in_minimal_debian'] else ''}")
        for part, part_bytes in (found["parts"] or {}).items():
            print(f"  {part_bytes / 1000:8.1f} kB  {part}")
    if "hour" in answer:
        for sharing in ("shared", "alone"):
            for state in ("idle", "busy", "after"):
                found = answer[sharing][state]
                print(f"{sharing}, {state}: PSS {found['pss'] / MIB:.2f}, RSS {found['rss'] / MIB:.2f}, "
                      f"anonymous {found['anonymous'] / MIB:.2f} MiB")
        for owner, found in answer["alone"]["owners"].items():
            print(f"  {found['pss'] / 1024:8.0f} KiB, {found['anonymous'] / 1024:5.0f} anonymous  {owner}")
        start, hour, busy = answer["start"], answer["hour"], answer["shared"]["busy"]
        print(f"start to connected: {start['connected_ms']:.0f} ms, {start['ratio']:.0f} times `true`")
        print(f"an idle hour (measured {hour['measured_s']} s): CPU {hour['cpu_ms_per_hour']:.0f} ms, {hour['wakeups_per_hour']:.0f} "
              f"wake-ups, {hour['disk_bytes_per_hour']:.0f} bytes written to files, {hour['threads']} threads")
        print(f"a checkpoint of 100 MB: recorded in {busy['record_s']:.1f} s, synced in {busy['sync_s']:.1f} s, "
              f"CPU {busy['cpu_ms']:.0f} ms, {busy['disk_ratio']:.3f} bytes written to files a byte")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--only", choices=("size", "run", "all"), default="all")
    parser.add_argument("--root", default="/")
    parser.add_argument("--idle-seconds", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    answer = {}
    if arguments.only != "run":
        answer["size"] = measure_size(arguments)
    if arguments.only != "size":
        answer.update(median_of([measure_round(arguments) for _ in range(arguments.rounds)]))
    if arguments.json:
        print(json.dumps(answer, indent=1))
    else:
        report(answer)

    shipped = "size" not in answer or answer["size"]["parts"]  # other builds than Release are larger and have no map
    holds = HOLDS if shipped else HOLDS[1:]
    missed = [f"{path} is {value / unit:.2f}, hold {most / unit:.0f}" for path, most, unit in holds
              if (value := lookup(answer, path)) is not None and value > most]
    needed = {library["package"] for library in lookup(answer, "size.libraries") or [] if not library["in_minimal_debian"]}
    missed += [f"a board now needs {package}; if that is meant, add it to PACKAGES here" for package in sorted(needed - PACKAGES)]
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Broken, FileNotFoundError) as error:
        sys.exit(f"footprint: {error}")
