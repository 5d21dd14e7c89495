# What the scripts share: where things are, what runs. Sourced, not run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=${TMPDIR:-/tmp}/treeline-ha
nodes='1 2 3'

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$(basename "$0"): $1"
  exit "${2:-1}"
}

# The value of an option: `--dir X` or `--dir=X`.
value_of() {
  [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value" 2
  printf '%s' "$2"
}

# What is known of a cluster once it has been started: ports, passwords, the secret key.
load_settings() {
  [ -r "$dir/settings" ] || fail "There is no cluster in $dir: ops/ha/start makes one" 2
  set -a
  # shellcheck disable=SC1091
  . "$dir/settings"
  set +a
}

port_of() { local name="HA_$1"; printf '%s' "${!name}"; }

pid_of() { cat "$dir/run/$1.pid" 2>/dev/null || true; }

# A zombie has no command line; another program that got the number has another one.
runs() {
  local pid
  pid=$(pid_of "$1")
  [ -n "$pid" ] && { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q -- "$2"
}

program_of() {
  case $1 in
    etcd-*) echo etcd ;;
    patroni-*) echo patroni ;;
    haproxy) echo haproxy ;;
    treeline-*) echo 'treeline.mjs' ;;
  esac
}

# The postmaster of a node and every process that it started.
postgres_pids() {
  local postmaster
  postmaster=$(head -1 "$dir/pg-$1/data/postmaster.pid" 2>/dev/null || true)
  [ -n "$postmaster" ] && [ "$(cat "/proc/$postmaster/comm" 2>/dev/null)" = postgres ] || return 0
  echo "$postmaster" $(cat "/proc/$postmaster/task/$postmaster/children" 2>/dev/null || true)
}

# node_that_is ROLE: the one whose Patroni says so; nothing if none does.
node_that_is() {
  local node
  for node in $nodes; do
    if curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$(port_of "REST_$node")/$1" 2>/dev/null; then
      echo "$node"
      return
    fi
  done
}

# Holds the lease and works.
primary() { node_that_is primary; }

# Has every acknowledged write and would become primary.
synchronous() { node_that_is synchronous; }

# in_proxy STATE NODE: `drain` gives a Treeline node no new calls, `ready` gives it some again.
in_proxy() {
  local backend
  for backend in ready alive; do
    printf 'set server %s/%s state %s\n' "$backend" "$2" "$1" >"/dev/tcp/127.0.0.1/$HA_ADMIN"
  done
}

# until_so SECONDS WHAT COMMAND…: polls.
until_so() {
  local limit=$1 what=$2 began=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $((SECONDS - began)) -lt "$limit" ] || fail "Waited $limit seconds in vain for $what; the logs are in $dir/log"
    sleep 0.2
  done
}
