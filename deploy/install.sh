#!/bin/sh
# install.sh: puts dsm and what its services need into their places.
set -eu

usage() {
  cat <<'USAGE'
Puts the executable of dsm, its units, its user and a configuration to be edited into their places.

  deploy/install.sh [--binary FILE] [--root DIR]

  --binary FILE  the executable (default: dist/dsm, which bin/build makes)
  --root DIR     install below DIR, as for a package; nothing of this host is touched then
  --help         this text

It may be run again, as for a new version: /etc/dsm/dsm.toml and the secret stay as they are, and no
service is started or restarted.
USAGE
}

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit "${code:-1}"
}

deploy=$(cd "$(dirname -- "$0")" && pwd -P)
binary=$deploy/../dist/dsm root=
while [ $# -gt 0 ]; do
  case $1 in
    --binary | --root)
      [ $# -ge 2 ] || code=2 fail "$1 needs a value; see --help"
      if [ "$1" = --binary ]; then binary=$2; else root=${2%/}; fi
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) code=2 fail "unknown argument $1; see --help" ;;
  esac
  shift
done
[ -x "$binary" ] || fail "there is no executable $binary; make it with bin/build, or name it with --binary"
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "only root may install below /; or name a folder with --root"

install -D -m 755 "$binary" "$root/usr/bin/dsm"
for unit in "$deploy"/systemd/dsm-*.service; do
  install -D -m 644 "$unit" "$root/usr/lib/systemd/system/$(basename "$unit")"
done
for more in "$deploy"/systemd/*.service.d/*.conf; do
  install -D -m 644 "$more" "$root/usr/lib/systemd/system/${more#"$deploy/systemd/"}"
done
install -D -m 644 "$deploy/systemd/dsm.sysusers.conf" "$root/usr/lib/sysusers.d/dsm.conf"
install -D -m 644 "$deploy/systemd/dsm.tmpfiles.conf" "$root/usr/lib/tmpfiles.d/dsm.conf"
manual=$deploy/../docs/OPERATIONS.md
[ ! -e "$manual" ] || install -D -m 644 "$manual" "$root/usr/share/doc/dsm/OPERATIONS.md"
# What an operator copies from: Keepalived, GlusterFS and what else is there.
for folder in "$deploy"/*/; do
  name=$(basename "$folder")
  [ "$name" != systemd ] || continue
  mkdir -p "$root/usr/share/dsm/$name"
  cp -R "$folder." "$root/usr/share/dsm/$name/"
done

config=$root/etc/dsm/dsm.toml
secret=$root/etc/dsm/secret
mkdir -p "$root/etc/dsm"
[ -e "$config" ] || (umask 077 && "$binary" config >"$config")
if [ -z "$root" ]; then
  systemd-sysusers dsm.conf
  systemd-tmpfiles --create dsm.conf
  systemctl daemon-reload
fi
printf 'dsm %s is installed below %s\n' "$("$binary" --version)" "${root:-/}"
[ -e "$secret" ] ||
  printf 'Give all hosts one secret: %s, as of openssl rand -hex 32\n' "$secret"
printf 'Edit %s, then enable what this host is to run: dsm-tracker, dsm-id, dsm-storage@GROUP, dsm-gateway\n' "$config"
