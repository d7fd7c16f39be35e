#!/usr/bin/env bash
# The agent's package on a board of another architecture, in a fleet: installed in a clean Debian 12 it records, syncs and installs
# models. Hub, broker and a second board, which trains, are this machine's own, outside.
#   fleet.sh [amd64|arm64|armhf] [FOLDER OF THE PACKAGES]
# The programs outside are of build/release/bin, or of TRIBUTARY_BIN.
set -euo pipefail
# shellcheck source=tests/packages/clean_root.sh
. "$(dirname "$0")/clean_root.sh"

bin=${TRIBUTARY_BIN:-build/release/bin}
[ -x "$bin/tributary-hub" ] || fail "no programs of this machine in $bin; 'cmake --build --preset release' makes them"
bin=$(realpath "$bin")
models=tests/data/cnn-sgd
data=tests/data/telemetry-csv/v03.csv

tools/deps.sh mmdebstrap
make_root tributary-agent
install_inside "$(deb_inside tributary-agent)" >"$work/apt.log" 2>&1
say "installed $(basename "$(deb tributary-agent)"), $(in_root dpkg --print-architecture)"

# ---- outside ----

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
broker_port=$(free_port)
hub_port=$(free_port)
cli() { "$bin/tributary" --hub "http://127.0.0.1:$hub_port" "$@"; }
trainer() { "$bin/tributary-agent" --config "$work/trainer.toml" "$@"; }
of_fleet() { # NAME: what an agent's configuration says of its hub
    printf '[hub]\nurl = "http://127.0.0.1:%s"\nname = "%s"\n[broker]\nurl = "mqtt://127.0.0.1:%s"\n' "$hub_port" "$1" "$broker_port"
}
printf 'listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n' "$broker_port" >"$work/mosquitto.conf"
"$(PATH=$PATH:/usr/sbin command -v mosquitto)" -c "$work/mosquitto.conf" >"$work/broker.log" 2>&1 &
cli key "$work/approver.pem" >/dev/null
printf 'state_dir = "%s/hub"\n[broker]\nurl = "mqtt://127.0.0.1:%s"\n[api]\nlisten = "127.0.0.1:%s"\n[approval]\nkeys = ["%s"]\n' \
    "$work" "$broker_port" "$hub_port" "$work/approver.pem.pub" >"$work/hub.toml"
"$bin/tributary-hub" --config "$work/hub.toml" run >"$work/hub.log" 2>&1 &
wait_for cli device list >/dev/null
{ printf 'state_dir = "%s/trainer"\n' "$work" && of_fleet trainer; } >"$work/trainer.toml"
trainer run >"$work/trainer.log" 2>&1 &

# ---- the board ----

sed -i 's/^#state_dir/state_dir/' "$root/etc/tributary/agent.toml"
# shellcheck disable=SC2016  # for the health command's own shell
{ of_fleet board && printf '[[model]]\nname = "digits"\nhealth = "%s"\nprobation = "2s"\nhealth_interval = "500ms"\n' \
    'test $(stat -c %s $TRIBUTARY_MODEL_DIR/model) -gt 1000000'; } >>"$root/etc/tributary/agent.toml"
start_unit tributary-agent
says_device() { cli device list | grep -qw "$1"; }
wait_for says_device board
wait_for says_device trainer
say "the board's unit runs, and the hub outside knows it"

cp $data "$root/packages/telemetry.csv"
recorded=$(agent commit --repo plant/telemetry /packages/telemetry.csv)
nothing_pending() { "$@" status --json | grep -q '"pending_versions": *0[,}]'; }
wait_for nothing_pending agent
cli fetch "$recorded" --to "$work/fetched" >/dev/null
cmp $data "$work/fetched/telemetry.csv"
say "what the board recorded is on the hub, byte for byte"

record() { # FILE: the trainer records it as the model
    cp "$1" "$work/model"
    trainer commit --repo vision/digits "$work/model"
    wait_for nothing_pending trainer
}
# went VERSION STATE: the board's install of that version ended so.
went() {
    cli --json rollout show | python3 -c '
import json, sys
rows = {row["device"]: row for row in json.load(sys.stdin)["deployments"]}
sys.exit((rows["board"]["wanted"], rows["board"]["state"]) != tuple(sys.argv[1:]))' "$@"
}
roll_out() { # VERSION STATE
    cli approve "$1" --key "$work/approver.pem" >/dev/null
    cli rollout start "$1" --model digits >/dev/null
    wait_for went "$1" "$2"
}
runs_model() { in_root cat /var/lib/tributary-agent/models/digits/current/model | cmp - "$1"; } # FILE

for number in 5 6; do
    version=$(record $models/v0$number.safetensors)
    ends 4 "" cli rollout start "$version" --model digits # without an approval
    roll_out "$version" committed
    runs_model $models/v0$number.safetensors || fail "the board runs something else than v0$number"
    say "approved and rolled out, the board runs v0$number byte for byte"
done
head -c 4096 /dev/zero >"$work/broken"
version=$(record "$work/broken")
roll_out "$version" rolled_back
runs_model $models/v06.safetensors || fail "the board does not run v06 again"
say "a model that fails its health command: the board went back to v06"

ends 0 "" agent fsck --data
stop_unit
say "every stored byte passes its checks, and the unit stops"
echo "all is well"
