# shellcheck shell=sh
# Shared by the scripts of this folder, each of which sets dsm_root before it reads this file.
# POSIX sh. Everything that set-up makes lies in node_modules, so that is all there is to delete.

dsm_bun_version=$(sed -n 's/^ *"bun": "\([0-9][^"]*\)",*$/\1/p' "$dsm_root/package.json" | head -n 1)
dsm_modules=$dsm_root/node_modules
dsm_tools=$dsm_modules/.tools
dsm_stamp=$dsm_modules/.dsm-setup

dsm_fail() {
  echo "dsm: $1" >&2
  exit 1
}

dsm_is_pinned() {
  [ -x "$1" ] && [ "$("$1" --version 2>/dev/null)" = "$dsm_bun_version" ]
}

# Sets dsm_bun to the pinned Bun: from PATH, else from node_modules. False when there is none.
dsm_find_bun() {
  for dsm_bun in \
    "$(command -v bun || true)" \
    "$dsm_modules/.bin/bun" \
    "$dsm_tools/node_modules/.bin/bun"; do
    if dsm_is_pinned "$dsm_bun"; then return 0; fi
  done
  dsm_bun=
  return 1
}

# The state of everything that decides what `bun install` does.
dsm_wanted_stamp() {
  cat "$dsm_root/bun.lock" "$dsm_root/bunfig.toml" "$dsm_root/package.json" \
    "$dsm_root"/packages/*/package.json | cksum
}

dsm_is_set_up() {
  [ -f "$dsm_stamp" ] && [ "$(cat "$dsm_stamp")" = "$(dsm_wanted_stamp)" ] && dsm_find_bun
}

# Runs "$@" quietly: its output is shown only when it fails.
dsm_quietly() {
  dsm_log=$dsm_modules/.dsm-setup.log
  "$@" >"$dsm_log" 2>&1 </dev/null && return 0
  cat "$dsm_log" >&2
  return 1
}

dsm_install_bun() {
  if ! command -v npm >/dev/null 2>&1; then
    dsm_fail "no Bun $dsm_bun_version and no npm in PATH; install Node.js with npm (https://nodejs.org) or Bun $dsm_bun_version, then run this again"
  fi
  echo "dsm: fetching Bun $dsm_bun_version with npm" >&2
  mkdir -p "$dsm_tools" || dsm_fail "cannot write to $dsm_root; check its owner and permissions"
  echo '{ "private": true }' >"$dsm_tools/package.json"
  # npm waits for minutes on a registry that does not answer, unless it is told otherwise.
  dsm_quietly npm install --no-save --no-audit --no-fund --no-package-lock \
    --prefix "$dsm_tools" --fetch-retries=2 --fetch-retry-mintimeout=1000 \
    --fetch-retry-maxtimeout=5000 "bun@$dsm_bun_version" ||
    dsm_fail "npm could not install bun@$dsm_bun_version (its output is above); check that the npm registry $(npm config get registry 2>/dev/null) can be reached"
  dsm_find_bun ||
    dsm_fail "the Bun that npm installed into $dsm_tools does not run as version $dsm_bun_version; run node_modules/.tools/node_modules/.bin/bun to see why"
}

dsm_install_dependencies() {
  echo "dsm: installing the dependencies of bun.lock" >&2
  if ! (cd "$dsm_root" && dsm_quietly "$dsm_bun" install --frozen-lockfile); then
    dsm_fail "bun install failed (its output is above); check that the npm registry can be reached, and that bun.lock fits the package.json files (bun install)"
  fi
  # The Bun of node_modules is checked against bun.lock, so it takes the place of npm's.
  if dsm_is_pinned "$dsm_modules/.bin/bun"; then rm -rf "$dsm_tools"; fi
  dsm_find_bun || dsm_fail "no Bun $dsm_bun_version in node_modules after the installation"
  dsm_wanted_stamp >"$dsm_stamp"
}

# Leaves dsm_bun set. Two set-ups of one checkout wait for each other where flock exists.
dsm_setup() {
  if dsm_is_set_up; then return 0; fi
  [ -n "$dsm_bun_version" ] || dsm_fail "package.json names no version of Bun in devDependencies"
  mkdir -p "$dsm_modules" 2>/dev/null ||
    dsm_fail "cannot write to $dsm_root; check its owner and permissions"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$dsm_modules/.dsm-setup.lock"
    flock 9
  fi
  if ! dsm_is_set_up; then
    dsm_find_bun || dsm_install_bun
    dsm_install_dependencies
  fi
  exec 9>&-
}
