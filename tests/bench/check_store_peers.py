#!/usr/bin/env python3
"""Runs store_peers.py on small loads and checks its answer.

usage: check_store_peers.py STORE_PEERS BIN
"""
import json
import subprocess
import sys

script, programs = sys.argv[1:]
command = [sys.executable, script, programs, "--files", "1", "--commits", "3"]
answer = json.loads(subprocess.run([*command, "--json"], check=True, stdout=subprocess.PIPE).stdout)
stores = answer["stores"]
print(json.dumps(answer, indent=2))
assert {"Tributary", "SQLite (WAL, FULL)"} <= stores.keys(), answer
assert {"git", "borg", "restic"} <= stores.keys() | answer["absent"].keys() or "strace" in answer["absent"], answer
for name, cost in stores.items():
    assert 0.99 < cost["write_amplification"] < 4, f"{name} was not counted whole"
    assert cost["bytes_per_small_commit"] > 100 and cost["syncs_per_small_commit"] >= 1, f"{name} is not durable"
