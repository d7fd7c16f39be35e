#!/usr/bin/env python3
"""What a long time without a hub costs: the agent with a backlog of many small versions, beside one with an empty store.

usage: backlog.py BIN [--versions N] [--in DIR] [--no-fsck] [--json]
BIN is the folder of the programs of a build. Prints the time to start (until the daemon takes connections; medians of starts by turns; the
first one after a kill by itself), PSS and RSS of the daemon at rest, and the time and peak RSS of `log`, `status` and `fsck`, all under a
limit of the address space; exits 1 if a hold is missed. The backlog is made in batches that are synced: in /dev/shm that takes a fifth of
the time.
"""
import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import process

MIB = 1 << 20
VERSIONS = 1_003_500  # so that the last segment is nearly full: opening reads it whole
ADDRESS_SPACE = 512 * MIB  # threads and libraries reserve much of it and never touch it
STARTS = 9
HOLDS = [("backlog.pss", 20 * MIB), ("backlog.rss", 32 * MIB)]


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def agent(programs, config, *verb):
    return [str(programs / "tributary-agent"), "--config", str(config), *verb]


def measured(command):
    """Runs to the end: seconds and peak RSS."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limited)
    error = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed: {error}")
    return {"seconds": time.monotonic() - began, "rss": usage.ru_maxrss * 1024}


def daemon(programs, config):
    """Starts it and waits until it takes connections."""
    began = time.monotonic()
    running = subprocess.Popen(agent(programs, config, "run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=limited)
    while not connects(config.parent / "state" / "agent.sock"):
        if running.poll() is not None:
            sys.exit(f"the agent ended with {running.returncode}")
        time.sleep(0.001)
    return running, time.monotonic() - began


def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def stop(running):
    running.terminate()
    running.wait(30)


def start(programs, config):
    running, seconds = daemon(programs, config)
    stop(running)
    return seconds


def starts(programs, configs):
    """By turns, so that what else the machine does meets all alike."""
    after_kill = {name: start(programs, config) for name, config in configs.items()}  # whatever is made once is made here
    rounds = [{name: start(programs, config) for name, config in configs.items()} for _ in range(STARTS)]
    return {name: {"start_after_kill_s": after_kill[name], "start_s": statistics.median(r[name] for r in rounds)} for name in configs}


def at_rest(programs, config):
    running, _ = daemon(programs, config)
    time.sleep(3)
    memory = process.memory(running.pid)
    stop(running)
    return memory


def verbs(programs, config, wanted):
    return {verb[0]: measured(agent(programs, config, *verb)) for verb in wanted}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=Path)
    parser.add_argument("--versions", type=int, default=VERSIONS)
    parser.add_argument("--in", dest="folder", default="/var/tmp", help="where the stores are made")
    parser.add_argument("--no-fsck", action="store_true", help="which reads all, several times")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = [("log", "-n", "20"), ("status",)] + ([] if arguments.no_fsck else [("fsck",)])
    with tempfile.TemporaryDirectory(dir=arguments.folder) as home:
        configs = {}
        for name, versions in (("empty", 0), ("backlog", arguments.versions)):
            folder = Path(home) / name
            folder.mkdir()
            configs[name] = folder / "agent.toml"
            configs[name].write_text('state_dir = "state"\n')
            subprocess.run(agent(arguments.bin, configs[name], "commit", "--repo", "lab/readings", __file__),
                           check=True, stdout=subprocess.DEVNULL)
            subprocess.run([str(arguments.bin / "make_backlog"), str(folder / "state" / "store"), str(versions)], check=True)
        out = {"versions": arguments.versions, **starts(arguments.bin, configs)}
        for name, config in configs.items():
            store = config.parent / "state" / "store"
            out[name].update(at_rest(arguments.bin, config), **verbs(arguments.bin, config, wanted),
                             stored_bytes=sum(f.stat().st_size for f in (store / "segments").iterdir()),
                             index_bytes=(store / "index.sqlite").stat().st_size)
    out["start_ratio"] = out["backlog"]["start_s"] / out["empty"]["start_s"]
    missed = [path for path, most in HOLDS if out[path.split(".")[0]][path.split(".")[1]] > most]
    missed += ["start_ratio"] if out["start_ratio"] > 2 else []
    print(json.dumps(out, indent=None if arguments.json else 2))
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
