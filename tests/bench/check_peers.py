#!/usr/bin/env python3
"""Runs peers.py with some of its tools, one of which there is not, and checks its answer.

usage: check_peers.py PEERS BENCH DIR
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

peers, bench, folder = sys.argv[1:]
TOOLS = ["whole file (git-lfs; DVC)", "zstd -3 --patch-from", "xz -6", "bsdiff", "borg (zstd 3)"]


def ask(*options, path=os.environ["PATH"]):
    return subprocess.run([sys.executable, peers, bench, folder, "--levels", "default", "--only", ",".join(TOOLS), *options],
                          check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}).stdout


answer = json.loads(ask("--json"))
family = answer["families"][Path(folder).name]
plain, stored = family["plain_bytes"], family["stored_bytes"]
assert set(TOOLS) <= stored.keys() | answer["absent"].keys(), answer
assert stored[TOOLS[0]] == plain, "a whole file is not whole"
assert all(0 < size <= 1.02 * plain for size in stored.values()), stored
assert stored["Tributary, default"] < stored["best of the others"], "another tool stores rows in less"

with tempfile.TemporaryDirectory() as empty:
    table = ask(path=empty)
assert "apt-get install bsdiff" in table and "| **" in table, table
