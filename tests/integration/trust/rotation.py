#!/usr/bin/env python3
"""A hub's key is replaced while the hub runs, and its board follows.

With the built programs: init, up, enrol, sync; `root next --new-hub-key`, signed by two holders, published. The hub takes
it without being restarted by anybody, goes on under the new key in a journal of its own, and the board, which believes
the old one no more, syncs and installs.

usage: rotation.py SOURCE_DIR BIN_DIR
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, BIN = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tools/demo"))
os.environ["TRIBUTARY_BIN"] = str(BIN)
os.environ.pop("TRIBUTARY_HUB", None)


def root(*words):
    done = subprocess.run([BIN / "tributary-hub", "root", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tell(m, home):
    fleet, wait_for = m.Fleet(), m.wait_for
    try:
        passphrase = home / "passphrase"
        passphrase.write_text("correct horse battery\n")
        passphrase.chmod(0o600)
        approver = home / "approver.pem"
        fleet.cli("key", approver)
        made = subprocess.run([BIN / "tributary-hub", "init", fleet.hub_home, "--host", "127.0.0.1", "--bind", "127.0.0.1",
                               "--api-port", str(fleet.api_port), "--devices-port", str(fleet.devices_port),
                               "--broker-port", str(fleet.broker_port), "--approver", f"demo={approver}.pub",
                               "--root-keys", "2", "--root-passphrase-file", passphrase], capture_output=True)
        assert made.returncode == 0, made.stderr
        fleet.start("hub", BIN / "tributary-hub", "up", fleet.hub_home)
        wait_for("the hub reaches its broker", fleet.hub_ready)
        script = home / "health.sh"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o700)
        board = m.Board(fleet, "cam", script)
        board.link_up()
        token = home / "cam.token"
        token.write_text(fleet.cli("device", "token")["token"] + "\n")
        board.agent("enroll", "--token-file", token)
        board.start()
        model = home / "checkpoint.safetensors"
        model.write_bytes(b"weights " * 4000)
        version = board.commit("vision/digits", model, "-m", "weights")
        wait_for("the board is in sync", board.synced)

        before = json.loads(root("show", fleet.hub_home, "--json"))
        old_key = (fleet.hub_home / "state/key.pem").read_bytes()
        draft = home / "draft"
        root("next", fleet.hub_home, "-o", draft, "--new-hub-key")
        for key in ("root-1.pem", "root-2.pem"):
            root("sign", draft, "--key", fleet.hub_home / "take-away" / key, "--passphrase-file", passphrase)
        root("publish", fleet.hub_home, draft)
        after = json.loads(root("show", fleet.hub_home, "--json"))
        assert after["version"] == before["version"] + 1 and after["hub_keys"] != before["hub_keys"], after
        wait_for("the hub has its new key", lambda: (fleet.hub_home / "state/key.pem").read_bytes() != old_key)
        wait_for("the hub reaches its broker again", fleet.hub_ready)
        assert not (fleet.hub_home / "state/key.next.pem").exists()

        board.commit("vision/digits", script, "-m", "after the change")
        wait_for("the board is in sync with the new key", board.synced, 120)
        fleet.cli("approve", version, "--key", approver)
        fleet.cli("rollout", "start", version, "--model", "digits")
        wait_for("the board runs it", lambda: fleet.cli("rollout", "show")["deployments"][0]["state"] == "committed")
        roots = [fleet.hub_home / f"trust/root.{number}" for number in range(1, after["version"] + 1)]
        fleet.stop_all()
        words = [word for path in roots for word in ("--root", str(path))]
        audit = subprocess.run([BIN / "tributary", "audit", "verify", "--store", fleet.hub_home / "state", *words],
                               capture_output=True, text=True)
        assert audit.returncode == 0, audit.stdout + audit.stderr
    finally:
        fleet.stop_all()


def main():
    with tempfile.TemporaryDirectory(prefix="tributary-rotation-") as scratch:
        home = Path(scratch) / "home"
        os.environ["TRIBUTARY_DEMO_HOME"] = str(home)
        import fleet as fleet_module
        try:
            tell(fleet_module, home)
        except BaseException:
            for log in sorted(home.glob("*.log")):
                print(f"---- {log.name}\n{log.read_text(errors='replace')[-6000:]}", file=sys.stderr)
            raise
    print("the key was replaced, and the board followed")


if __name__ == "__main__":
    main()
