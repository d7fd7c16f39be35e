#!/usr/bin/env python3
"""No secret is anywhere but where it belongs.

Tells the whole story of a secured hub and a board with the built programs: init with a passphrase, up, token, enrol
with an encrypted key, sync, rollout, renewal, revocation. Then looks for every secret of it, in every form, in every
file that hub, broker and board have written, in all that they and the command line tools said, and in every command
line and environment that any process of this machine had meanwhile. Each secret may be in the files that are there to
hold it, by name, and nowhere else.

Stores hold compressed records: what is in one is found there as far as it was not compressed.

usage: secrets.py SOURCE_DIR BIN_DIR CLOCK_SHIM
"""
import base64
import fnmatch
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SOURCE, BIN = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tools/demo"))
os.environ["TRIBUTARY_BIN"] = str(BIN)
os.environ.pop("TRIBUTARY_HUB", None)

HOUR_MS = 3_600_000
PASSPHRASES = {"root": "of root keys 7Qx-passphrase", "board": "of a board 9Zk-passphrase"}


class Watcher(threading.Thread):
    """Every command line and environment that it sees of any process."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.ended = {}, threading.Event()

    def look(self):
        for process in Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            for what in ("cmdline", "environ"):
                try:
                    self.seen.setdefault((process / what).read_bytes(), f"{what} of process {process.name}")
                except OSError:
                    pass  # it has ended, or is another user's

    def run(self):
        while not self.ended.is_set():
            self.look()
            time.sleep(0.005)


def forms_of(secret):
    """How bytes could stand in a text or a file."""
    forms = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for name, code in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
        for skipped in range(3):  # wherever in a longer run of base64 it begins
            whole = secret[skipped:skipped + (len(secret) - skipped) // 3 * 3]
            forms[f"{name} from byte {skipped}"] = code(whole)
    return forms


class Secret:
    def __init__(self, name, forms, *homes):
        self.name, self.homes = name, homes
        self.forms = {form: text for form, text in forms.items() if len(text) >= 8}

    def may_be_in(self, path):
        return any(fnmatch.fnmatch(path, home) for home in self.homes)


def pem_secret(name, path, passphrase, *homes):
    """Its lines as they are in the file, and the number that is the key."""
    block, inside = [], False
    for line in path.read_text().splitlines():
        if line.startswith("-----"):
            inside = line.startswith("-----BEGIN") and "PRIVATE" in line
        elif inside and len(line) >= 32:
            block.append(line)
    if "ENCRYPTED" not in path.read_text():
        block = block[:2]  # the rest is the public key
    forms = {f"line {number} in PEM": line.encode() for number, line in enumerate(block)}
    read, write = os.pipe()
    os.write(write, passphrase.encode() + b"\n")
    os.close(write)
    shown = subprocess.run(["openssl", "pkey", "-in", path, "-passin", f"fd:{read}", "-text", "-noout"], pass_fds=[read],
                           capture_output=True, text=True)
    os.close(read)
    if shown.returncode != 0:
        raise SystemExit(f"{path}: {shown.stderr}")
    digits = shown.stdout.split("priv:")[1].split("pub:")[0]
    scalar = bytes.fromhex("".join(digits.split()).replace(":", ""))[-32:]
    return Secret(name, forms | forms_of(scalar), *homes)


def hkdf(key, info):
    inner = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(inner, info.encode() + b"\1", hashlib.sha256).digest()


class Search:
    def __init__(self, home, secrets, said, watcher):
        self.home, self.secrets, self.said, self.watcher = home, secrets, said, watcher

    def findings(self):
        found = []
        for path in sorted(self.home.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            name = str(path.relative_to(self.home))
            found += self.look(name, name.encode() + b"\n" + path.read_bytes(), name)
        for text, where in dict(self.watcher.seen).items():
            found += self.look("", text, where)
        for where, text in self.said:
            found += self.look("", text, where)
        return found

    def look(self, path, content, where):
        return [f"{secret.name} ({form}) in {where}" for secret in self.secrets if not secret.may_be_in(path)
                for form, text in secret.forms.items() if text in content]


class Story:
    def __init__(self, fleet_module, home, shim):
        self.m, self.home, self.shim = fleet_module, home, shim
        self.fleet = fleet_module.Fleet()
        self.said, self.secrets = [], []
        self.listen()

    def listen(self):
        """All that a command line tool says is looked through, but for a token that was asked for."""
        real = subprocess.run

        def run(command, *args, **options):
            done = real(command, *args, **options)
            out = done.stdout if isinstance(done.stdout, bytes) else (done.stdout or "").encode()
            err = done.stderr if isinstance(done.stderr, bytes) else (done.stderr or "").encode()
            if str(command[0]).endswith("openssl"):
                return done
            if list(map(str, command))[-2:] != ["device", "token"]:
                self.said.append((f"what {Path(str(command[0])).name} said", out))
            self.said.append((f"what {Path(str(command[0])).name} complained", err))
            return done

        self.m.subprocess.run = run

    def put(self, name, text):
        path = self.home / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def start_hub(self, ahead_ms=0):
        if ahead_ms:
            os.environ |= {"LD_PRELOAD": self.shim, "TRIBUTARY_CLOCK_AHEAD_MS": str(ahead_ms)}
        self.fleet.start("hub", BIN / "tributary-hub", "up", self.fleet.hub_home)
        for name in ("LD_PRELOAD", "TRIBUTARY_CLOCK_AHEAD_MS"):
            os.environ.pop(name, None)
        self.m.wait_for("the hub reaches its broker", self.fleet.hub_ready)

    def tell(self):
        fleet, wait_for = self.fleet, self.m.wait_for
        root_file = self.put("root-passphrase", PASSPHRASES["root"])
        board_file = self.put("board-passphrase", PASSPHRASES["board"])
        self.secrets += [Secret(f"passphrase of {name}", {"text": text.encode()} | forms_of(text.encode()),
                                f"{name}-passphrase") for name, text in PASSPHRASES.items()]
        approver = self.home / "approver.pem"
        fleet.cli("key", approver)
        self.secrets.append(pem_secret("approver's key", approver, "", "approver.pem"))
        made = subprocess.run([BIN / "tributary-hub", "init", fleet.hub_home, "--host", "127.0.0.1", "--bind", "127.0.0.1",
                               "--api-port", str(fleet.api_port), "--devices-port", str(fleet.devices_port),
                               "--broker-port", str(fleet.broker_port), "--approver", f"demo={approver}.pub",
                               "--root-keys", "2", "--root-passphrase-file", root_file], capture_output=True)
        assert made.returncode == 0, made.stderr
        config = fleet.hub_home / "hub.toml"
        text = config.read_text()
        assert text.count("[trust]") == 1
        config.write_text(text.replace("[trust]", '[trust]\ndevice_life = "12h"'))
        self.take_hubs_secrets()
        self.start_hub()

        board = self.m.Board(fleet, "cam", self.healthy())
        board.config.write_text(board.config.read_text() + f'[identity]\npassphrase_file = "{board_file}"\n')
        board.link_up()
        token = self.home / "cam.token"
        token.write_text(fleet.cli("device", "token")["token"] + "\n")
        self.take_token(token.read_text().strip())
        board.agent("enroll", "--token-file", token)
        key = board.home / "state/key.pem"
        homes = [f"cam/state/key{which}.pem*" for which in ("", ".old", ".next")]
        self.secrets.append(pem_secret("the board's first key", key, PASSPHRASES["board"], *homes))
        first = key.read_bytes()
        board.start()

        model = self.home / "checkpoint.safetensors"
        model.write_bytes(b"weights " * 4000)
        version = board.commit("vision/digits", model, "-m", "weights")
        wait_for("the board is in sync", board.synced)
        fleet.cli("approve", version, "--key", approver)
        fleet.cli("rollout", "start", version, "--model", "digits")
        wait_for("the board runs it", lambda: fleet.cli("rollout", "show")["deployments"][0]["state"] == "committed")

        fleet.stop("hub")
        self.start_hub(12 * HOUR_MS)
        wait_for("the board has renewed its key", lambda: key.read_bytes() != first)
        board.commit("vision/digits", self.healthy(), "-m", "after the renewal")
        wait_for("the board is in sync again", board.synced)
        self.secrets.append(pem_secret("the board's second key", key, PASSPHRASES["board"], *homes))
        wait_for("the first key is gone", lambda: not (board.home / "state/key.old.pem").exists())

        fleet.cli("device", "revoke", "cam", "--reason", "lost")
        wait_for("the board is told", lambda: "revoked" in json.dumps(fleet.cli("device", "show", "cam")))
        time.sleep(2)
        fleet.stop_all()

    def healthy(self):
        script = self.home / "health.sh"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o700)
        return script

    def take_token(self, text):
        body = text.split(".", 1)[1]
        secret = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))[1:33]
        self.secrets.append(Secret("the token", {"text": text.encode()} | forms_of(secret), "cam.token"))

    def take_hubs_secrets(self):
        hub = self.fleet.hub_home
        master = (hub / "master.key").read_bytes()
        key = bytes.fromhex(master.strip().decode()) if len(master) > 32 else master
        self.secrets.append(Secret("the master key", {"file": master.strip()} | forms_of(key), "hub/master.key"))
        derived = {role: hkdf(key, role).hex() for role in self.roles()}
        for role, text in derived.items():
            self.secrets.append(Secret(f"what opens {role}", {"text": text.encode()} | forms_of(bytes.fromhex(text))))
        opened = 0
        for path in sorted(hub.rglob("*.pem")):
            if "PRIVATE KEY" not in path.read_text():
                continue
            name = str(path.relative_to(self.home))
            self.secrets.append(pem_secret(name, path, self.passphrase_of(path, derived), name))
            opened += 1
        assert opened >= 7, opened

    def roles(self):
        """As the programs name them."""
        text = (SOURCE / "hub/deploy/deployment.h").read_text()
        block = text.split("namespace role {")[1].split("}")[0]
        return [line.split('"')[1] for line in block.splitlines() if '"' in line]

    def passphrase_of(self, path, derived):
        for passphrase in ("", PASSPHRASES["root"], *derived.values()):
            read, write = os.pipe()
            os.write(write, passphrase.encode() + b"\n")
            os.close(write)
            done = subprocess.run(["openssl", "pkey", "-in", path, "-passin", f"fd:{read}", "-noout"], pass_fds=[read],
                                  capture_output=True)
            os.close(read)
            if done.returncode == 0:
                return passphrase
        raise SystemExit(f"nothing known opens {path}")


def sees_what_is_planted(search):
    """Each form of each secret, in a log, in a command line and in an environment."""
    missed = []
    planted = search.home / "planted.log"
    for secret in search.secrets:
        for form, text in secret.forms.items():
            planted.write_bytes(b"a line\n... " + text + b" ...\n")
            if f"{secret.name} ({form}) in planted.log" not in search.look("planted.log", planted.read_bytes(), "planted.log"):
                missed.append(f"{secret.name} ({form}) in a log")
    text = next(secret for secret in search.secrets if secret.name == "the token").forms["hex"].decode()
    planted.write_text(text)
    for words, environment in ((["#" + text], {}), ([], {"PLANTED": text})):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.7)", *words],
                         env=os.environ | environment).wait()
    found = search.findings()
    for where in ("planted.log", "cmdline of process", "environ of process"):
        if not any(f"the token (hex) in {where}" in finding for finding in found):
            missed.append(f"the token in {where}")
    planted.unlink()
    return missed


def main():
    with tempfile.TemporaryDirectory(prefix="tributary-secrets-") as scratch:
        os.environ["TRIBUTARY_DEMO_HOME"] = scratch + "/home"
        import fleet as fleet_module
        watcher = Watcher()
        watcher.start()
        story = Story(fleet_module, Path(scratch) / "home", sys.argv[3])
        try:
            story.tell()
        except BaseException:
            for log in sorted(story.home.glob("*.log")):
                print(f"---- {log.name}\n{log.read_text(errors='replace')[-4000:]}", file=sys.stderr)
            raise
        finally:
            story.fleet.stop_all()
        search = Search(story.home, story.secrets, story.said, watcher)
        found = search.findings()
        missed = sees_what_is_planted(search)
        watcher.ended.set()
        watcher.join()
        print(f"{len(story.secrets)} secrets in {sum(len(s.forms) for s in story.secrets)} forms; "
              f"{sum(1 for p in story.home.rglob('*') if p.is_file())} files, {len(watcher.seen)} command lines and environments, "
              f"{len(story.said)} outputs")
        for finding in found:
            print(f"found: {finding}")
        for one in missed:
            print(f"not seen although it was planted: {one}")
        return 1 if found or missed else 0


if __name__ == "__main__":
    sys.exit(main())
