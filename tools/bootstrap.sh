#!/bin/bash
# Makes .venv with everything in it and, as root, installs the system packages that are missing.
# Safe to call every time: when nothing changed it only compares a hash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022
inputs=(pyproject.toml requirements.lock hatch_build.py tools/apt.txt tools/bootstrap.sh)
stamp=.venv/.bootstrap
say() { printf 'bootstrap: %s\n' "$*" >&2; }

system_packages() {
    local wanted missing=() package
    mapfile -t wanted < <(grep -v '^#' tools/apt.txt)
    command -v dpkg-query >/dev/null || { say "not a Debian system; needed here: ${wanted[*]}"; return; }
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID)); then say "not root, so not installed: ${missing[*]}"; return; fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    apt-get -qq update >&2 </dev/null
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2 </dev/null
}

pick_python() {  # the first one that is new enough and can make an environment
    local candidate
    for candidate in ${PYTHON:-} python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"; return
        fi
    done
    say "Python 3.11 or later with the venv module is needed (Debian: python3-venv)"
    return 1
}

fresh() {  # what root made is good for everybody; what a user made lacks the system packages
    [[ -x .venv/bin/python && -x .venv/bin/netweather && -e $stamp ]] || return
    [[ $(<"$stamp") == "$hash as root" || ($EUID != 0 && $(<"$stamp") == "$hash"*) ]]
}

hash=$(cat "${inputs[@]}" | sha256sum | cut -c1-32)
if ! fresh; then
    mkdir -p .venv
    exec 9<.venv
    flock 9
fi
if ! fresh; then
    system_packages
    .venv/bin/python -c '' 2>/dev/null || "$(pick_python)" -m venv --clear .venv
    say "installing Python packages"
    pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install -q)
    "${pip[@]}" -r requirements.lock
    "${pip[@]}" --no-deps --no-build-isolation -e .
    echo "$hash as $( ((EUID)) && echo user || echo root)" >"$stamp"
fi
exec .venv/bin/python tools/natives.py --quiet
