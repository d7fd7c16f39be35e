#!/usr/bin/env python3
"""Runs one tributary-bench subcommand and checks its answer: all keys there, everything verified, ceilings kept.

usage: check_keys.py SUBCOMMAND PROGRAM [ARGUMENT...]
"""
import json
import subprocess
import sys

KEYS = {
    "codec": {"files", "total", "thinned"},
    "store": {"write_amplification", "bytes_per_small_commit", "syncs_per_small_commit", "disk_bytes_per_byte",
              "disk_bytes_per_small_commit", "peak_rss_bytes", "sqlite_wal_full"},
    "sync": {"goodput_mb_s", "broker_mb_s", "goodput_share", "plain_goodput_mb_s", "plain_broker_mb_s",
             "plain_goodput_share", "broadcast_egress_ratio", "broadcast_egress_ratio_lossy", "resent_bytes_per_cut"},
    "fleet": {"devices", "connects_per_s", "versions_per_s", "receipt_p50_ms", "receipt_p99_ms", "hub_rss_bytes"},
}
FILE_KEYS = {"name", "plain_bytes", "stored_bytes", "encode_mb_s", "decode_mb_s", "record_mb_s",
             "record_beside_mb_s", "read_mb_s", "verified"}
TOTAL_KEYS = {"plain_bytes", "stored_bytes", "ratio", "encode_mb_s", "decode_mb_s", "zstd3_encode_mb_s",
              "zstd3_decode_mb_s", "record_mb_s", "record_beside_mb_s", "read_mb_s"}

subcommand, program, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
answer = json.loads(subprocess.run([program, subcommand, *arguments, "--json"], check=True, stdout=subprocess.PIPE).stdout)
print(json.dumps(answer, indent=2))
missing = KEYS[subcommand] - answer.keys()
assert not missing, f"keys missing: {missing}"
if subcommand == "codec":
    assert all(FILE_KEYS <= file.keys() and file["verified"] for file in answer["files"]), "a file was not verified"
    assert TOTAL_KEYS <= answer["total"].keys(), "a total is missing"
    assert answer["total"]["ratio"] < 0.63, "the first six checkpoints no longer fit into 63 % of their bytes"
    assert answer["thinned"]["stored_bytes"] < answer["thinned"]["bytes_before"] * 0.9, "giving up two of six frees too little"
if subcommand == "sync":
    # Of virtual time, so they do not depend on the machine.
    assert answer["broadcast_egress_ratio"] <= 1.05 and answer["broadcast_egress_ratio_lossy"] <= 2.2
if subcommand == "store":
    peer = answer["sqlite_wal_full"]
    assert answer["write_amplification"] <= 1.1 and answer["bytes_per_small_commit"] <= 8192
    assert answer["syncs_per_small_commit"] >= 1, "a small commit was not made durable"
    for key in ("write_amplification", "bytes_per_small_commit"):
        assert answer[key] < peer[key], f"SQLite has less {key}"
if subcommand == "fleet":
    assert answer["receipted_versions"] > 0 and answer["lost"] == 0 and answer["invented"] == 0
