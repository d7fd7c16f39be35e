#!/usr/bin/env python3
"""What docs/troubleshooting.md quotes is what the programs say.

usage: messages.py ROOT

A quoted message is an indented line. It is cut where something of the user's stands (capitals, numbers, `...`, ids, what
is between quotes) and where messages are put together (`: `, `; `). Each part of 15 characters and more must stand in a
string of the sources.
"""
import re
import sys
from pathlib import Path

YOURS = re.compile(r"""'[^']*' | `[^`]*` | " | \.\.\. | sha256: | \b[A-Z]{2,}\b(?:/\S+)? | \b[A-Z]\b | \d+ | \w+=\S*
                       | [:;,] \s | \s{2,} | [a~]/\S+ | tributary-agent\ commit
                       | while\ connecting | Connection\ refused | \b(?:error|warn|info)\s+(?=\S)""", re.X)
SHORT = 15


def said(root):
    """Every string of the programs and scripts; those that the compiler or `+` joins are joined."""
    text = ""
    for folder in ("agent", "hub", "common"):
        for path in sorted((root / folder).rglob("*.cpp")):
            text += path.read_text()
    text = re.sub(r'"\s*(?:\+\s*)?"', "", text)
    text += "".join((root / f"tools/{name}.sh").read_text() for name in ("deps", "demo", "test"))
    return " ".join(text.replace('\\"', '"').split())


def main(root):
    strings, wrong, checked = said(root), 0, 0
    for number, line in enumerate((root / "docs/troubleshooting.md").read_text().splitlines(), 1):
        if not line.startswith("    "):
            continue
        for part in YOURS.split(re.sub(r"^(?:tributary(?:-agent|-hub)?|tools/\w+\.sh|damaged): ", "", line.strip())):
            part = part.strip(" ,;:()./")
            if len(part) < SHORT:
                continue
            checked += 1
            if part not in strings:
                wrong += 1
                print(f"docs/troubleshooting.md:{number}: no program says '{part}'")
    if checked < 40:
        wrong += 1
        print(f"only {checked} parts were found to check")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
