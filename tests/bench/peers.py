#!/usr/bin/env python3
"""What successive versions of a file cost with Tributary and with other tools, on the same files in the same run.

usage: peers.py BENCH DIR... [--levels default,fast] [--only NAME,...] [--json]
BENCH is the program tributary-bench. Each DIR holds the versions of one file, in the order of their names; the first one is
not counted. Prints one Markdown table of percents of the versions' bytes: for stores (Tributary, borg, restic) what their
files grew by, for the others the length of what they write. *CPU s* is the processor time of the tool's whole runs, its start
included; that of Tributary has the bench's measuring in it and is not shown. Tools that are not installed are named with
their Debian package.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT_S = 600
BEST = "best of the others"


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, timeout=TIMEOUT_S, **options)


def alone(*command):
    """A tool that packs each version by itself: {new} into {out}."""
    return lambda old, new, out: run(*(part.format(new=new, out=out) for part in command))


def against(*command):
    """A tool that packs each version against the one before: {new} and {old} into {out}."""
    return lambda old, new, out: run(*(part.format(old=old, new=new, out=out) for part in command))


def of_each(pack):
    def cost(versions, scratch):
        out = scratch / "packed"
        total = 0
        for old, new in zip(versions, versions[1:]):
            out.unlink(missing_ok=True)
            pack(old, new, out)
            total += out.stat().st_size
        return total
    return cost


def growth(init, add):
    """A store: how much longer its files are with all versions than with the first, each under the same name."""
    def size(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def cost(versions, scratch):
        store, file = scratch / "store", scratch / "tree" / "version"
        environment = {**os.environ, "HOME": str(scratch), "RESTIC_PASSWORD": "none", "BORG_BASE_DIR": str(scratch),
                       "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "RESTIC_CACHE_DIR": str(scratch / "cache")}
        run(*(part.format(store=store) for part in init), env=environment)
        file.parent.mkdir()
        first = 0
        for number, version in enumerate(versions):
            shutil.copyfile(version, file)
            run(*(part.format(store=store, number=number) for part in add), env=environment, cwd=file.parent)
            if number == 0:
                first = size(store)
        return size(store) - first
    return cost


def whole_file(versions, scratch):
    return sum(version.stat().st_size for version in versions[1:])


# Name, program, its Debian package, and what the versions from the second on cost.
PEERS = [
    ("whole file (git-lfs; DVC)", None, None, whole_file),
    ("zstd -3", "zstd", "zstd", of_each(alone("zstd", "-q", "-3", "{new}", "-o", "{out}"))),
    ("zstd -19", "zstd", "zstd", of_each(alone("zstd", "-q", "-19", "{new}", "-o", "{out}"))),
    ("xz -6", "xz", "xz-utils", of_each(alone("sh", "-c", 'xz -6 -T1 -c "{new}" > "{out}"'))),
    ("zstd -3 --patch-from", "zstd", "zstd",
     of_each(against("zstd", "-q", "-3", "--patch-from={old}", "{new}", "-o", "{out}"))),
    ("zstd -19 --long --patch-from", "zstd", "zstd",
     of_each(against("zstd", "-q", "-19", "--long", "--patch-from={old}", "{new}", "-o", "{out}"))),
    ("xdelta3 -9", "xdelta3", "xdelta3", of_each(against("xdelta3", "-9", "-e", "-f", "-s", "{old}", "{new}", "{out}"))),
    ("bsdiff", "bsdiff", "bsdiff", of_each(against("bsdiff", "{old}", "{new}", "{out}"))),
    ("borg (zstd 3)", "borg", "borgbackup",
     growth(["borg", "init", "-e", "none", "{store}"],
            ["borg", "create", "-C", "zstd,3", "{store}::{number}", "version"])),
    ("borg (zstd 3; chunks of 4 to 64 KiB)", "borg", "borgbackup",
     growth(["borg", "init", "-e", "none", "{store}"],
            ["borg", "create", "-C", "zstd,3", "--chunker-params", "12,16,14,4095", "{store}::{number}", "version"])),
    ("restic (max)", "restic", "restic",
     growth(["restic", "init", "-q", "-r", "{store}", "--repository-version", "2"],
            ["restic", "backup", "-q", "-r", "{store}", "--compression", "max", "version"])),
]


def versions_of(folder):
    versions = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "README.md")
    if len(versions) < 2:
        sys.exit(f"{folder} holds no two versions of a file")
    return versions


def tributary(bench, folder, level):
    answer = subprocess.run([bench, "codec", folder, "--level", level, "--json"], check=True, stdout=subprocess.PIPE,
                            timeout=TIMEOUT_S).stdout
    return json.loads(answer)["total"]["stored_bytes"]


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(arguments):
    names = arguments.only.split(",") if arguments.only else None
    peers = [peer for peer in PEERS if not names or peer[0] in names]
    absent = {name: package for name, program, package, _ in peers if program and not shutil.which(program)}
    families = {}
    seconds = {}
    for folder in arguments.dirs:
        versions = versions_of(folder)
        stored = {}
        for name, _, _, cost in peers:
            if name in absent:
                continue
            before = cpu_seconds()
            with tempfile.TemporaryDirectory() as scratch:
                stored[name] = cost(versions, Path(scratch))
            seconds[name] = seconds.get(name, 0) + cpu_seconds() - before
        if stored:
            stored[BEST] = min(stored.values())
        for level in arguments.levels.split(","):
            stored[f"Tributary, {level}"] = tributary(arguments.bench, folder, level)
        families[folder.name] = {"plain_bytes": whole_file(versions, None), "stored_bytes": stored}
    return {"families": families, "cpu_seconds": {name: round(took, 2) for name, took in seconds.items()}, "absent": absent}


def show(answer):
    families = answer["families"]
    tools = list(next(iter(families.values()))["stored_bytes"])
    print("| | " + " | ".join(families) + " | CPU s |\n|---" + "|---:" * (len(families) + 1) + "|")
    for tool in tools:
        mark = "**" if tool.startswith("Tributary") else ""
        percents = [100 * family["stored_bytes"][tool] / family["plain_bytes"] for family in families.values()]
        cells = [f"{mark}{percent:.2f}{mark}" for percent in percents]
        took = answer["cpu_seconds"].get(tool)
        print(f"| {tool} | " + " | ".join(cells) + " | " + ("" if took is None else f"{took:.1f}") + " |")
    for tool, package in answer["absent"].items():
        print(f"\n{tool}: not installed; on Debian: apt-get install {package}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", metavar="BENCH")
    parser.add_argument("dirs", metavar="DIR", nargs="+", type=Path)
    parser.add_argument("--levels", default="default,fast", help="levels of Tributary, with commas between")
    parser.add_argument("--only", help="names of the table's first column, with commas between")
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
