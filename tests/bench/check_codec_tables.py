#!/usr/bin/env python3
"""Runs codec_tables.py over one folder, held to nothing and as a public family, and asks it what made-up figures miss.

usage: check_codec_tables.py CODEC_TABLES BENCH DIR
DIR stores more than the families of telemetry may.
"""
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

script, bench, folder = sys.argv[1:]


def run(name, *options):
    with tempfile.TemporaryDirectory() as scratch:
        named = Path(scratch) / name
        named.symlink_to(Path(folder).resolve())
        done = subprocess.run([sys.executable, script, bench, named, *options], stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def expect(answer, code, lines, without=()):
    assert answer[0] == code, answer
    for line in lines:
        assert line in answer[1], f"no '{line}' in\n{answer[1]}"
    for line in without:
        assert line not in answer[1], f"'{line}' in\n{answer[1]}"


levels = "| encode | decode | stored, fast | encode | decode |"
expect(run("telemetry-jsonl"), 0, [f"| family | stored, default {levels}", "| stored, % |", "| `max`, of encode |"],
       ["ceiling", "hold"])
expect(run("telemetry-jsonl", "--hold", "--levels", "default,fast"), 1,
       [f"| family | stored, default | ceiling {levels}", "Above a ceiling: telemetry-jsonl at default: ", "Below a hold: "])
expect(run("telemetry-jsonl", "--hold", "--levels", "fast"), 0, ["Above a ceiling: nothing"], ["|---|---:|"])
expect(run("a-family", "--hold"), 2, [])

spec = importlib.util.spec_from_file_location("codec_tables", script)
codec_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(codec_tables)
held = {"plain_bytes": 1000, "stored_bytes": 538, "encode_mb_s": 55, "decode_mb_s": 25, "zstd3_encode_mb_s": 100,
        "zstd3_decode_mb_s": 100}
assert codec_tables.misses({"cnn-sgd": {"default": held}}) == ([], [])
missed = {**held, "stored_bytes": 539, "decode_mb_s": 19}
above, below = codec_tables.misses({"cnn-sgd": {"default": missed}})
assert len(above) == 1 and len(below) == 1 and "decode" in below[0], (above, below)
