#!/usr/bin/env python3
"""Every route of hub/api is in schemas/openapi.json, and nothing else is.

usage: openapi.py ROOT
"""
import json
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
described = {(method.upper(), path)
             for path, methods in json.loads((root / "schemas/openapi.json").read_text())["paths"].items()
             for method in methods}
code = "".join(path.read_text() for path in sorted((root / "hub/api").glob("*.cpp")))
served = set(re.findall(r'add(?:_async|_upload)?\(\s*"([A-Z]+)",\s*"([^"]+)"', code))

for method, path in sorted(served - described):
    print(f"{method} {path} is served, but schemas/openapi.json does not describe it")
for method, path in sorted(described - served):
    print(f"{method} {path} is described in schemas/openapi.json, but not served")
sys.exit(1 if served != described or not served else 0)
