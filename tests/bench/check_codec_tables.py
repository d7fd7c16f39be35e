#!/usr/bin/env python3
"""Runs codec_tables.py over one folder, which is no family by its name, and asks it what made-up figures miss.

usage: check_codec_tables.py CODEC_TABLES BENCH DIR
"""
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

script, bench, folder = sys.argv[1:]

with tempfile.TemporaryDirectory() as scratch:
    named = Path(scratch) / "a-family"
    named.symlink_to(Path(folder).resolve())
    tables = subprocess.run([sys.executable, script, bench, named], check=True, stdout=subprocess.PIPE, text=True).stdout
for line in ["| family | stored, default | ceiling | encode | decode | stored, fast | encode | decode |", "| stored, % |",
             "| `max`, of encode |", "| a-family | ", "Above a ceiling: nothing"]:
    assert line in tables, f"no '{line}' in\n{tables}"

spec = importlib.util.spec_from_file_location("codec_tables", script)
codec_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(codec_tables)
held = {"plain_bytes": 1000, "stored_bytes": 538, "encode_mb_s": 55, "decode_mb_s": 25, "zstd3_encode_mb_s": 100,
        "zstd3_decode_mb_s": 100}
assert codec_tables.misses({"cnn-sgd": {"default": held}}) == ([], [])
missed = {**held, "stored_bytes": 539, "decode_mb_s": 19}
above, below = codec_tables.misses({"cnn-sgd": {"default": missed}})
assert len(above) == 1 and len(below) == 1 and "decode" in below[0], (above, below)
