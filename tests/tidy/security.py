#!/usr/bin/env python3
"""Every test that docs/security.md names as the one that holds a claim is in the tree.

usage: security.py ROOT
"""
import re
import sys
from pathlib import Path


def main():
    root = Path(sys.argv[1])
    named = set(re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", (root / "docs/security.md").read_text()))
    cases = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
    there = {f"{suite}.{case}" for path in (root / "tests").rglob("*.cpp")
             for suite, case in cases.findall(path.read_text())}
    missing = sorted(named - there)
    for name in missing:
        print(f"docs/security.md names {name}, which is no test")
    if not named:
        print("docs/security.md names no test at all")
    return 1 if missing or not named else 0


if __name__ == "__main__":
    sys.exit(main())
