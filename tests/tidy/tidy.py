#!/usr/bin/env python3
"""Checks what no compiler checks: who includes whom, who touches the outside world, length, leftover markers.

usage: tidy.py ROOT [--self-test]
Prints one line a finding and exits 1 if there is any.
"""
import re
import sys
from pathlib import Path

LINES_MAX = 700    # a file is one idea; past 400 lines ask whether it is two
COLUMNS_MAX = 120  # clang-format aims at 100
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PRODUCTION = ("agent", "common", "hub")


def read_rules(path):
    folders, headers, names = {}, [], []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, rest = line.rpartition(":")
        if line.startswith("!"):
            headers.append((name[1:], rest.split()))
        elif line.startswith("@"):
            names.append((name[1:], rest.split()))
        else:
            folders[name] = {f"common/{part}" for part in rest.split()}
    return folders, headers, names


def folder_of(path):
    return "/".join(path.split("/")[:2])


def check_include(where, folder, header, rules):
    folders, headers, _ = rules
    top = header.split("/")[0]
    if top in PRODUCTION and not header.endswith("_generated.h"):
        target = folder_of(header)
        if folder.startswith("common/"):
            if folder not in folders:
                yield f"{where}: folder {folder} is not in tests/tidy/layers.txt"
            elif target not in {folder, "common/base"} | folders[folder]:
                yield f"{where}: {folder} may not include {target}"
        elif top not in ("common", folder.split("/")[0]):
            yield f"{where}: {folder.split('/')[0]} may not include {target}"
        return
    for prefix, allowed in headers:
        if header.endswith(prefix) if prefix.startswith("_") else header.startswith(prefix):
            if folder not in allowed:
                yield f"{where}: <{header}> belongs to {', '.join(allowed)} alone"
            return


def check_file(root, path, rules):
    name = path.relative_to(root).as_posix()
    folder = folder_of(name)
    lines = path.read_text().splitlines()
    if len(lines) > LINES_MAX:
        yield f"{name}: {len(lines)} lines; is it two ideas? (at most {LINES_MAX})"
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if len(line) > COLUMNS_MAX:
            yield f"{where}: {len(line)} columns (at most {COLUMNS_MAX})"
        if MARKERS.search(line):
            yield f"{where}: leftover marker"
        if not name.startswith(PRODUCTION):
            continue
        include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if include:
            yield from check_include(where, folder, include.group(1), rules)
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
        for outside, allowed in rules[2]:
            if re.search(r"(?<!\w)" + re.escape(outside), code) and folder not in allowed:  # not Store::open(
                yield f"{where}: {outside} belongs to {', '.join(allowed)} alone"
        if re.search(r"\bthrow\b", code):
            yield f"{where}: our code does not throw"


def check_tree(root):
    rules = read_rules(root / "tests/tidy/layers.txt")
    for top in PRODUCTION + ("tests",):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield from check_file(root, path, rules)
    for top in PRODUCTION:
        for folder in sorted(p for p in (root / top).iterdir() if p.is_dir()):
            if any(folder.glob("*.cpp")) and not (folder / "README.md").exists():
                yield f"{folder.relative_to(root)}: no README.md (what it is for, what it promises)"


def self_test(root):
    """Each rule must be able to fail, and must let pass what is right."""
    rules = read_rules(root / "tests/tidy/layers.txt")
    wrong = [
        ("common/base", "common/hash/hash.h"), ("common/sync", "common/env/clock.h"), ("common/codec", "sqlite3.h"),
        ("agent/app", "hub/app/hub.h"), ("agent/app", "boost/asio.hpp"), ("common/store", "entry_generated.h"),
        ("common/net", "boost/json.hpp"), ("common/nowhere", "common/hash/hash.h"),
    ]
    right = [
        ("common/store", "common/codec/codec.h"), ("agent/app", "common/store/store.h"), ("common/net", "boost/asio.hpp"),
        ("common/text", "boost/json.hpp"), ("agent/app", "agent/config/config.h"),
    ]
    missed = [case for case in wrong if not list(check_include("case", *case, rules))]
    refused = [case for case in right if list(check_include("case", *case, rules))]
    for case in missed:
        print(f"not caught: {case}")
    for case in refused:
        print(f"wrongly caught: {case}")
    return 1 if missed or refused else 0


def main():
    root = Path(sys.argv[1]).resolve()
    if "--self-test" in sys.argv:
        return self_test(root)
    findings = list(check_tree(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


sys.exit(main())
