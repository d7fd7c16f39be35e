"""The demo's processes: a broker, a hub, boards behind links that can be cut. Standard library only."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("TRIBUTARY_BIN", ROOT / "build/release/bin"))
HOME = Path(os.environ.get("TRIBUTARY_DEMO_HOME", ROOT / "build/demo"))
SANITIZED = "TRIBUTARY_SANITIZED" in os.environ  # slower, larger, and findings end up in the logs
PATIENCE_S = 600 if SANITIZED else 120

# Programs of other machines run under the emulator of the root that cross/build.sh made, with its libraries.
CROSS_ROOT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tributary/cross/root"
EMULATORS = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}


def agent_program(arch):
    """The words that start an agent of this architecture; None: of this machine."""
    if arch is None:
        return [str(BIN / "tributary-agent")]
    return [str(CROSS_ROOT / "usr/bin" / EMULATORS[arch]), "-L", str(CROSS_ROOT),
            str(ROOT / "build" / arch / "bin/tributary-agent")]


class Broken(Exception):
    """A claim of the story does not hold."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, patience_s=PATIENCE_S):
    """Asks until the answer is true; shows that it waits."""
    started = time.monotonic()
    while True:
        answer = condition()
        if answer:
            return answer
        waited = time.monotonic() - started
        if waited > patience_s:
            raise Broken(f"waited {patience_s} s in vain for: {what}")
        if sys.stderr.isatty():
            print(f"\r   ... {what} ({waited:.0f} s)", end="", file=sys.stderr, flush=True)
        time.sleep(0.2)


class Fleet:
    def __init__(self):
        self.processes = {}
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        self.broker_port, self.api_port, self.devices_port = free_port(), free_port(), free_port()
        self.hub_url = f"https://127.0.0.1:{self.api_port}"
        self.hub_home = HOME / "hub"
        self.ca = self.hub_home / "trust/ca.pem"

    def start(self, name, *command):
        log = open(HOME / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=HOME)

    def stop(self, name, how=signal.SIGTERM):
        process = self.processes.pop(name, None)
        if process and process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def stop_all(self):
        for name in reversed(list(self.processes)):
            self.stop(name)

    def sanitizer_findings(self):
        """What sanitizers wrote into the logs of programs that were stopped or died."""
        return [f"{log.name}: {line}" for log in HOME.glob("*.log") for line in log.read_text(errors="replace").splitlines()
                if "Sanitizer" in line or "runtime error:" in line]

    def running(self, name):
        return name in self.processes and self.processes[name].poll() is None

    # ---- broker and hub ----

    def start_hub(self, approver_key):
        """A secured hub, made on the spot, with its broker as a child."""
        passphrase = HOME / "root-passphrase"
        passphrase.write_text("of keys that nobody will need\n")
        self.start("hub", BIN / "tributary-hub", "up", self.hub_home, "--host", "127.0.0.1", "--bind", "127.0.0.1",
                   "--api-port", self.api_port, "--devices-port", self.devices_port, "--broker-port", self.broker_port,
                   "--approver", f"demo={approver_key}.pub", "--root-passphrase-file", passphrase)
        wait_for("the hub reaches its broker", lambda: self.hub_ready())

    def hub_ready(self):
        if not self.running("hub"):
            raise Broken("the hub ended at its start")
        if not self.ca.exists():
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.broker_port), 1):
                return self.cli("device", "list")["broker_connected"]
        except (OSError, Broken):
            return False

    def cli(self, *arguments, as_json=True, expect=0):
        command = [str(BIN / "tributary"), "--hub", self.hub_url, "--ca", str(self.ca), *(["--json"] if as_json else []), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != expect:
            raise Broken(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout) if as_json else done.stdout


class Board:
    def __init__(self, fleet, name, health, arch=None):
        self.fleet, self.name, self.arch = fleet, name, arch
        self.program = agent_program(arch)
        self.home = HOME / name
        self.home.mkdir()
        self.link_port = free_port()
        self.counters = self.home / "link.json"
        self.config = HOME / f"{name}.toml"
        self.config.write_text(
            f'state_dir = "{self.home}/state"\nauthor = "{name}"\n'
            f'[hub]\nname = "{name}"\n'
            f'[broker]\nurl = "mqtts://127.0.0.1:{self.link_port}"\n'  # its own link, not what the hub tells it
            f'[[model]]\nname = "digits"\nhealth = "{health}"\nprobation = "2s"\nhealth_interval = "500ms"\n')

    def link_up(self):
        self.fleet.start(f"link-{self.name}", sys.executable, Path(__file__).with_name("link.py"), self.link_port,
                         self.fleet.broker_port, self.counters)

    def link_down(self):
        self.fleet.stop(f"link-{self.name}", signal.SIGKILL)

    def enroll(self):
        token = HOME / f"{self.name}.token"
        token.write_text(self.fleet.cli("device", "token")["token"] + "\n")
        self.agent("enroll", "--token-file", token)

    def start(self):
        self.fleet.start(self.name, *self.program, "--config", self.config, "run")

    def agent(self, *arguments, expect=0):
        command = [*self.program, "--config", str(self.config), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != expect:
            raise Broken(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def commit(self, repo, path, *more):
        return self.agent("commit", "--repo", repo, path, *more)

    def status(self):
        return json.loads(self.agent("status", "--json"))

    def synced(self):
        return self.status()["pending_versions"] == 0

    def wire(self):
        """Bytes over this board's link so far, every protocol included: what it sent, what it received."""
        time.sleep(0.3)  # the counters' own period
        with open(self.counters) as file:
            counters = json.load(file)
        return counters["up"], counters["down"]

    def model_file(self):
        return self.home / "state/models/digits/current/checkpoint.safetensors"

    def peak_rss_bytes(self):
        status = Path(f"/proc/{self.fleet.processes[self.name].pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
