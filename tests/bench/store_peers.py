#!/usr/bin/env python3
"""What recording costs the flash with Tributary and with other stores that keep every version, in the same run.

usage: store_peers.py BIN [--files N] [--commits N] [--json]
BIN is the folder of the programs of a build. Each store takes the same two loads: files of 4 MiB of random bytes, and files of
100 bytes, each recorded by itself, durably. Prints one Markdown table:

  written   bytes handed to write() below the store's folder (its cache included), per byte recorded or per commit
  on disk   the room that its files take, likewise
  syncs     calls of fsync() and fdatasync() per commit
  time      beside Tributary's own, in a second run that nobody counts

The first two stores run within the program tributary-bench and count by themselves; the others are programs, begun anew for each
commit and counted by strace. What is not installed is named with its Debian package.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMEOUT_S = 120
BIG_BYTES, SMALL_BYTES = 4 << 20, 100
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile")
SYNCS = ("fsync", "fdatasync", "sync_file_range")
OURS, OURS_AS_PROGRAM = "Tributary", "Tributary, a process for each commit"


def run(command, home):
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "RESTIC_PASSWORD": "none",
                   "BORG_BASE_DIR": str(home / "store"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, timeout=TIMEOUT_S, cwd=home, env=environment)


def git(*arguments):
    return ["git", "-C", "store", "-c", "core.fsync=all", "-c", "user.name=bench", "-c", "user.email=bench@localhost",
            "-c", "gc.auto=0", *arguments]


# Name, its Debian package, what makes the store, and what records the file `file` of the folder that all of it runs in; the
# store is the folder `store`. The number is the commit's. Each as it comes, but for what makes it durable.
def programs(bin_folder):
    agent = [bin_folder / "tributary-agent", "--config", "agent.toml"]
    return [
        (OURS_AS_PROGRAM, None, [[*agent, "init"]], lambda number: [[*agent, "commit", "--repo", "bench/store", "file"]]),
        ("git", "git", [["git", "init", "-q", "store"]],
         lambda number: [["cp", "file", "store/file"], git("add", "file"), git("commit", "-q", "-m", str(number))]),
        ("borg", "borgbackup", [["borg", "init", "-e", "none", "store/repo"]],
         lambda number: [["borg", "create", f"store/repo::{number}", "file"]]),
        ("restic", "restic", [["restic", "init", "-q", "-r", "store"]],
         lambda number: [["restic", "--no-cache", "backup", "-q", "-r", "store", "file"]]),
    ]


def counted(trace, folder):
    """Bytes written and syncs below the folder, as strace -y tells them; one file for each thread, so that no call is told in parts."""
    written = syncs = 0
    call = re.compile(r"(\w+)\(\d+<(.*?)>.*\) = (\d+)")
    for thread in trace.parent.glob(f"{trace.name}.*"):
        for line in thread.read_text(errors="replace").splitlines():
            found = call.match(line)
            if not found or not found.group(2).startswith(f"{folder}/"):
                continue
            if found.group(1) in WRITES:
                written += int(found.group(3))
            else:
                syncs += 1
        thread.unlink()
    return written, syncs


def disk_bytes(folder):
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file() and path != folder / "file")


def fill(home, commands, loads, trace):
    """Records both loads. Per load: what was written, synced and kept, and the seconds."""
    store, file = home / "store", home / "file"
    number = 0
    costs = []
    for count, size in loads:
        written = syncs = seconds = 0
        before = disk_bytes(store)
        for _ in range(count):
            file.write_bytes(os.urandom(size))
            number += 1
            for command in commands(number):
                if command[0] == "cp":
                    shutil.copyfile(home / command[1], home / command[2])
                    continue
                if trace:
                    command = ["strace", "-ff", "-qq", "--seccomp-bpf", "-y", "-s0", "-e", "trace=" + ",".join(WRITES + SYNCS),
                               "-o", trace, *command]
                began = time.monotonic()
                run(command, home)
                seconds += time.monotonic() - began
                if trace:
                    wrote, synced = counted(trace, store)
                    written, syncs = written + wrote, syncs + synced
        costs.append({"written": written, "syncs": syncs, "disk": disk_bytes(store) - before, "seconds": seconds})
    return costs


def measure_program(make, commands, loads):
    costs = []
    for traced in (True, False):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            home = Path(folder).resolve()
            (home / "agent.toml").write_text('state_dir = "store"\n')
            (home / "store").mkdir()
            for command in make:
                run(command, home)
            costs.append(fill(home, commands, loads, home / "trace" if traced else None))
    (big, small), (big_untraced, small_untraced) = costs
    (files, _), (commits, _) = loads
    return {"write_amplification": big["written"] / (files * BIG_BYTES), "disk_bytes_per_byte": big["disk"] / (files * BIG_BYTES),
            "bytes_per_small_commit": small["written"] / commits, "disk_bytes_per_small_commit": small["disk"] / commits,
            "syncs_per_small_commit": small["syncs"] / commits,
            "seconds_big": big_untraced["seconds"], "seconds_small": small_untraced["seconds"]}


def measure(arguments):
    ours = json.loads(subprocess.run([arguments.bin / "tributary-bench", "store"], check=True, stdout=subprocess.PIPE,
                                     env={**os.environ, "TMPDIR": "/var/tmp"}).stdout)
    stores = {OURS: {**ours, "seconds_big_ratio": 1, "seconds_small_ratio": 1}, "SQLite (WAL, FULL)": ours["sqlite_wal_full"]}
    absent = {"strace": "strace"} if not shutil.which("strace") else {}
    loads = [(arguments.files, BIG_BYTES), (arguments.commits, SMALL_BYTES)]
    for name, package, make, commands in programs(arguments.bin.resolve()):
        if package and not shutil.which(name):
            absent[name] = package
        elif "strace" not in absent:
            stores[name] = cost = measure_program(make, commands, loads)
            for load in ("big", "small"):
                cost[f"seconds_{load}_ratio"] = cost[f"seconds_{load}"] / stores[OURS_AS_PROGRAM][f"seconds_{load}"]
    return {"stores": stores, "absent": absent}


def show(answer):
    print("| | written / byte | on disk / byte | time | written / small commit | on disk / small commit | syncs | time |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, cost in answer["stores"].items():
        print(f"| {name} | {cost['write_amplification']:.3f} | {cost['disk_bytes_per_byte']:.3f} | "
              f"{cost['seconds_big_ratio']:.1f} | {cost['bytes_per_small_commit']:,.0f} | "
              f"{cost['disk_bytes_per_small_commit']:,.0f} | {cost['syncs_per_small_commit']:.1f} | "
              f"{cost['seconds_small_ratio']:.1f} |")
    for name, package in answer["absent"].items():
        print(f"\n{name}: not installed; on Debian: apt-get install {package}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", metavar="BIN", type=Path)
    parser.add_argument("--files", type=int, default=16, help="of 4 MiB, for each program")
    parser.add_argument("--commits", type=int, default=50, help="of 100 bytes, for each program")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        answer = measure(arguments)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd} failed:\n{(error.stderr or b'').decode(errors='replace')}")
    if arguments.json:
        print(json.dumps(answer, indent=1))
    else:
        show(answer)


if __name__ == "__main__":
    main()
