#!/usr/bin/env python3
"""Makes versions of a CSV file of which each lacks the oldest third of the one before, as telemetry that is kept for a while does.

usage: drop_rows.py CSV OUT_DIR [VERSIONS]
The first of VERSIONS (6) has the header and the oldest rows of CSV. Each other one lacks the oldest third of those and has as
many of the next ones behind it; the last ends where CSV does. Standard library only.
"""
import sys
from pathlib import Path


def main(source, target, versions=6):
    header, *rows = source.read_bytes().splitlines(keepends=True)
    third = len(rows) // (versions + 2)
    target.mkdir(parents=True, exist_ok=True)
    for i in range(versions):
        end = len(rows) - (versions - 1 - i) * third
        path = target / f"v{i + 1:02d}{source.suffix}"
        path.write_bytes(header + b"".join(rows[end - 3 * third:end]))


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
