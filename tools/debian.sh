#!/bin/sh
# Install Debian packages, as root or by sudo; where neither is to be had, say in one sentence what would help.
# usage: debian.sh WHAT-NEEDS-THEM PACKAGE…
set -eu
what=$1
shift

refuse() {
    echo "$what needs Debian's $*, and $why. As root: apt-get install $*" >&2
    exit 1
}

as_root=""
if [ "$(id -u)" != 0 ]; then
    why="this user may not install packages"
    command -v sudo >/dev/null 2>&1 || refuse "$@"
    echo "$what needs Debian's $*; sudo may ask for your password"
    sudo true || refuse "$@"
    as_root="sudo"
fi
# A machine that has just started may be busy installing updates of its own. Old lists may still do.
$as_root apt-get update -qq || true
why="installing that failed"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null || refuse "$@"
