"""A broker with TLS and client certificates, a hub and one agent, on loopback in a temporary folder. Standard library only."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from size import needed_libraries

PATIENCE_S = 120
GLIBC = ("ld-linux", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so")
EC = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


class Broken(Exception):
    """Something that must hold before anything is measured does not."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise Broken(f"waited {PATIENCE_S} s in vain for: {what}")
        time.sleep(0.002)


def listening(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Rig:
    def __init__(self, bin_folder):
        self.bin = Path(bin_folder).resolve()
        self.home = Path(f"/var/tmp/tributary-footprint-{os.getpid()}")
        self.home.mkdir()
        self.processes = {}
        self.broker_port, self.api_port = free_port(), free_port()
        self.state = self.home / "state"
        self.libraries = self.private_libraries()
        self.make_certificates()
        self.write_configs()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.processes)):
            self.stop(name)
        shutil.rmtree(self.home)

    def private_libraries(self):
        """Copies of all libraries but glibc, for the agent alone: here broker and hub use the same files, which would make its
        PSS smaller than on a board where it is alone."""
        folder = self.home / "lib"
        folder.mkdir()
        for name, path in needed_libraries(self.bin / "tributary-agent").items():
            if not name.startswith(GLIBC):
                shutil.copy(path, folder / name)
        os.sync()  # or the pages count as changed
        return folder

    def make_certificates(self):
        def openssl(words):
            subprocess.run(["openssl", *words.split()], cwd=self.home, check=True, capture_output=True)
        (self.home / "san").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(f"req -x509 {EC} -days 2 -keyout ca.key -out ca.pem -subj /CN=footprint")
        for name in ("broker", "hub", "board"):
            openssl(f"req {EC} -keyout {name}.key -out {name}.csr -subj /CN={name}")
            openssl(f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out {name}.pem -extfile san")

    def write_configs(self):
        def broker(name):
            return (f'[broker]\nurl = "mqtts://127.0.0.1:{self.broker_port}"\nca = "{self.home}/ca.pem"\n'
                    f'cert = "{self.home}/{name}.pem"\nkey = "{self.home}/{name}.key"\n')
        (self.home / "mosquitto.conf").write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"
            f"cafile {self.home}/ca.pem\ncertfile {self.home}/broker.pem\nkeyfile {self.home}/broker.key\nrequire_certificate true\n")
        (self.home / "hub.toml").write_text(
            f'state_dir = "{self.home}/hub"\n{broker("hub")}[api]\nlisten = "127.0.0.1:{self.api_port}"\n')
        (self.home / "agent.toml").write_text(
            f'state_dir = "{self.state}"\n[hub]\nurl = "http://127.0.0.1:{self.api_port}"\nname = "board"\n{broker("board")}')

    def start(self, name, command, environment=None):
        log = open(self.home / f"{name}.log", "wb")
        self.processes[name] = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment)

    def stop(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start_broker_and_hub(self):
        broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.start("broker", [broker, "-c", self.home / "mosquitto.conf"])
        wait_for("the broker listens", lambda: listening(self.broker_port))
        self.start("hub", [self.bin / "tributary-hub", "--config", self.home / "hub.toml", "run"])
        wait_for("the hub answers", lambda: listening(self.api_port))

    def start_agent(self, alone=False):
        """Starts it and waits until it is connected; its process id and how long that took. `alone`: with its own libraries."""
        began = time.monotonic()
        environment = dict(os.environ, LD_LIBRARY_PATH=str(self.libraries)) if alone else None
        self.start("agent", [self.bin / "tributary-agent", "--config", self.home / "agent.toml", "run"], environment)
        wait_for("the agent is connected", lambda: "connected to the broker" in (self.home / "agent.log").read_text())
        return self.processes["agent"].pid, time.monotonic() - began

    def agent(self, *arguments):
        command = [self.bin / "tributary-agent", "--config", self.home / "agent.toml", *arguments]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def status(self):
        return json.loads(self.agent("status", "--json"))

    def synced(self):
        status = self.status()
        return status["pending_versions"] == 0 and status["last_receipt"] is not None
