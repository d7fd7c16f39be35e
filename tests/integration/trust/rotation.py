#!/usr/bin/env python3
"""A hub's key is replaced, then its authority, while one board is there and two are away the whole time.

With the built programs: init, up, enrol, sync, a rollout that the board which is away does not hear of. `root next
--new-hub-key`, signed by two holders, published: the hub takes it without being restarted by anybody, goes on under the
new key in a journal of its own, and the board that is there, which believes the old one no more, goes on with it. `root
next --new-authority`: a board that enrols now is of the new one, the other two hold certificates of the old one, which
may not be dropped yet. A day later the board that is there has renewed. The authority is dropped though one board is
away, and the servers have other keys with it, and others once more by `server-keys`, which the hub takes while it runs.
The board that was away comes back to a hub of which it knows neither key nor authority, follows the root documents,
renews, and runs what it was told to run while it was away. Another one was away as well, and renews at the door while its
link to the broker is down: of its change of key the hub does not hear before a third authority has replaced the one of its
new certificate. It shows the change at the door, and is back. Nobody enrols twice, and the history holds.

usage: rotation.py SOURCE_DIR BIN_DIR CLOCK_SHIM
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, BIN, SHIM = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, str(SOURCE / "tools/demo"))
os.environ["TRIBUTARY_BIN"] = str(BIN)
os.environ.pop("TRIBUTARY_HUB", None)
HOUR_MS = 3_600_000
SERVER_KEYS = ["trust/api.key.pem", "trust/hub.key.pem", "broker/server.key.pem"]


def root(*words, expect=0):
    done = subprocess.run([BIN / "tributary-hub", "root", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


class Story:
    def __init__(self, fleet_module, home):
        self.m, self.home = fleet_module, home
        self.fleet = fleet_module.Fleet()
        self.wait_for = fleet_module.wait_for
        self.hub = self.fleet.hub_home
        self.passphrase = home / "passphrase"
        self.passphrase.write_text("correct horse battery\n")
        self.passphrase.chmod(0o600)
        self.approver = home / "approver.pem"
        self.script = home / "health.sh"
        self.script.write_text("#!/bin/sh\nexit 0\n")
        self.script.chmod(0o700)

    # ---- what people do ----

    def start_hub(self, ahead_ms=0):
        if ahead_ms:
            os.environ |= {"LD_PRELOAD": SHIM, "TRIBUTARY_CLOCK_AHEAD_MS": str(ahead_ms)}
        self.fleet.start("hub", BIN / "tributary-hub", "up", self.hub)
        for name in ("LD_PRELOAD", "TRIBUTARY_CLOCK_AHEAD_MS"):
            os.environ.pop(name, None)
        self.wait_for("the hub reaches its broker", self.fleet.hub_ready)

    def enrolled(self, name):
        board = self.m.Board(self.fleet, name, self.script)
        board.link_up()
        token = self.home / f"{name}.token"
        token.write_text(self.fleet.cli("device", "token")["token"] + "\n")
        board.agent("enroll", "--token-file", token)
        return board

    def publish(self, *change, force=()):
        """The next root document, which two holders sign; the hub takes it by itself."""
        version = self.shown()["version"] + 1
        draft = self.home / f"draft-{version}"
        root("next", self.hub, "-o", draft, *change, *force)
        for key in ("root-1.pem", "root-2.pem"):
            root("sign", draft, "--key", self.hub / "take-away" / key, "--passphrase-file", self.passphrase)
        root("publish", self.hub, draft, *force)
        assert self.shown()["version"] == version
        self.wait_for(f"the hub goes by root document {version}",
                      lambda: self.shown().get("boards") is not None and self.fleet.hub_ready())
        return self.shown()

    # ---- what is so ----

    def shown(self):
        return json.loads(root("show", self.hub, "--json"))

    def to_renew(self):
        boards = self.shown().get("boards")
        return None if boards is None else boards["to_renew"]

    def deployment(self, device):
        found = [one for one in self.fleet.cli("rollout", "show")["deployments"] if one["device"] == device]
        return found[0]["state"] if found else None

    def authorities_of(self, board):
        return (board.home / "state/ca.pem").read_text().count("BEGIN CERTIFICATE")

    def goes_on(self, board, words):
        note = self.home / f"{board.name}.txt"
        note.write_text(words)
        board.commit("vision/notes", note, "-m", words)
        self.wait_for(f"{board.name} is in sync {words}", board.synced)

    def verifies(self, state, roots, expect=0):
        words = [word for path in roots for word in ("--root", str(path))]
        audit = subprocess.run([BIN / "tributary", "audit", "verify", "--store", state, *words], capture_output=True, text=True)
        assert audit.returncode == expect, audit.stdout + audit.stderr
        return audit.stdout

    # ---- the story ----

    def tell(self):
        cam, away, mute = self.begins()
        self.another_key(cam)
        new = self.another_authority(cam)
        self.authority_goes(cam, new)
        self.other_server_keys(cam)
        self.comes_back(away)
        self.is_heard_again(mute, (cam, new, away))
        roots = [self.hub / f"trust/root.{number}" for number in range(1, self.shown()["version"] + 1)]
        self.fleet.stop_all()
        self.verifies(self.hub / "state", roots)
        self.verifies(self.hub / "state", roots[:-1], expect=1)  # it goes by one that was not handed in
        assert "a board's store" in self.verifies(away.home / "state", roots)

    def begins(self):
        fleet = self.fleet
        fleet.cli("key", self.approver)
        made = subprocess.run([BIN / "tributary-hub", "init", self.hub, "--host", "127.0.0.1", "--bind", "127.0.0.1",
                               "--api-port", str(fleet.api_port), "--devices-port", str(fleet.devices_port),
                               "--broker-port", str(fleet.broker_port), "--approver", f"demo={self.approver}.pub",
                               "--root-keys", "2", "--root-passphrase-file", self.passphrase], capture_output=True)
        assert made.returncode == 0, made.stderr
        self.start_hub()
        cam, away, mute = self.enrolled("cam"), self.enrolled("away"), self.enrolled("mute")
        for board in (cam, away, mute):
            board.start()
            self.goes_on(board, "before")
        fleet.stop("away")
        fleet.stop("mute")
        model = self.home / "checkpoint.safetensors"
        model.write_bytes(b"weights " * 4000)
        version = cam.commit("vision/digits", model, "-m", "weights")
        self.wait_for("the model is at the hub", cam.synced)
        fleet.cli("approve", version, "--key", self.approver)
        fleet.cli("rollout", "start", version, "--model", "digits")
        self.wait_for("cam runs it", lambda: self.deployment("cam") == "committed")
        assert self.deployment("away") == "assigned"
        return cam, away, mute

    def another_key(self, cam):
        key = self.hub / "state/key.pem"
        before, old_key = self.shown(), key.read_bytes()
        after = self.publish("--new-hub-key")
        assert after["hub_keys"] != before["hub_keys"] and key.read_bytes() != old_key
        assert not (self.hub / "state/key.next.pem").exists()
        self.goes_on(cam, "with the new key")

    def another_authority(self, cam):
        assert "one authority is named" in root("next", self.hub, "-o", self.home / "draft-x", "--drop-authority", expect=2)
        after = self.publish("--new-authority")
        assert len(after["authorities"]) == 2 and after["boards"]["to_renew"] == 3, after
        self.wait_for("cam follows", lambda: self.authorities_of(cam) == 2)
        self.goes_on(cam, "with both authorities")
        new = self.enrolled("new")
        new.start()
        self.goes_on(new, "from the new authority")
        assert self.to_renew() == 3
        refused = root("next", self.hub, "-o", self.home / "draft-x", "--drop-authority", expect=1)
        assert "3 boards still hold a certificate" in refused and "away, cam, mute" in refused, refused
        first = (cam.home / "state/key.pem").read_bytes()
        self.fleet.stop("hub")
        self.start_hub(25 * HOUR_MS)
        self.wait_for("cam has renewed", lambda: (cam.home / "state/key.pem").read_bytes() != first)
        self.goes_on(cam, "under the new certificate")
        self.wait_for("the hub knows", lambda: self.to_renew() == 2)
        return new

    def authority_goes(self, cam, new):
        assert "(away, mute)" in root("next", self.hub, "-o", self.home / "draft-x", "--drop-authority", expect=1)
        keys = [(self.hub / path).read_bytes() for path in SERVER_KEYS]
        after = self.publish("--drop-authority", force=["--force"])
        assert not set(keys) & {(self.hub / path).read_bytes() for path in SERVER_KEYS}
        assert len(after["authorities"]) == 1 and after["boards"]["others"] == 2, after
        assert not (self.hub / "trust/ca.next.key.pem").exists()
        for board in (cam, new):
            self.wait_for(f"{board.name} follows", lambda: self.authorities_of(board) == 1)
            self.goes_on(board, "without the old authority")

    def other_server_keys(self, cam):
        keys = [self.hub / path for path in SERVER_KEYS]
        before = [key.read_bytes() for key in keys]
        made = subprocess.run([BIN / "tributary-hub", "server-keys", self.hub], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        self.wait_for("the hub takes them", lambda: not any(a == key.read_bytes() for a, key in zip(before, keys)))
        self.wait_for("it runs again", self.fleet.hub_ready)
        self.goes_on(cam, "with other keys of the servers")

    def comes_back(self, away):
        assert self.deployment("away") == "assigned"
        away.start()
        self.goes_on(away, "back again")
        self.wait_for("away runs it", lambda: self.deployment("away") == "committed")
        self.wait_for("all but mute have renewed", lambda: self.to_renew() == 1)
        self.has_no_alarms(away)

    def has_no_alarms(self, board):
        alarms = [one["event"] for one in self.fleet.cli("device", "show", board.name).get("security_events") or []]
        assert not alarms, alarms

    def is_heard_again(self, mute, others):
        state = mute.home / "state"
        private_key = lambda: (state / "key.pem").read_text().split("-----END")[0]
        first = private_key()
        mute.link_down()
        mute.start()
        self.wait_for("mute has renewed at the door", lambda: private_key() != first)
        assert (state / "key.old.pem").exists()  # of the change the hub does not hear
        second = private_key()
        self.fleet.stop("mute")
        self.publish("--new-authority")
        for board in others:
            self.wait_for(f"{board.name} follows", lambda: self.authorities_of(board) == 2)
        self.publish("--drop-authority", force=["--force"])
        for board in others:
            self.goes_on(board, "with a third authority")
        mute.link_up()
        mute.start()
        self.goes_on(mute, "heard again")
        assert private_key() == second
        self.wait_for("the change is receipted", lambda: not (state / "key.old.pem").exists())
        self.wait_for("all have renewed", lambda: self.to_renew() == 0)
        self.has_no_alarms(mute)


def main():
    with tempfile.TemporaryDirectory(prefix="tributary-rotation-") as scratch:
        home = Path(scratch) / "home"
        os.environ["TRIBUTARY_DEMO_HOME"] = str(home)
        import fleet as fleet_module
        story = Story(fleet_module, home)
        try:
            story.tell()
        except BaseException:
            for log in sorted(home.glob("*.log")):
                print(f"---- {log.name}\n{log.read_text(errors='replace')[-6000:]}", file=sys.stderr)
            raise
        finally:
            story.fleet.stop_all()
    print("key and authority were replaced, and the boards followed")


if __name__ == "__main__":
    main()
