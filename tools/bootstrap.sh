#!/bin/bash
# bootstrap.sh [demo|test]: makes .venv and, as root, installs the system packages that are missing; nothing that is there is upgraded.
# demo: what the package, its build and the demo need. test (the default): what the tests and tools need as well.
# Safe to call every time: when nothing changed it only compares a hash. A line for each step; what a step says is shown if it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022
level=${1:-test}
lists=(tools/apt-demo.txt)
locked() { sed '/^# For the extras/,$d' requirements.lock; }
if [[ $level == test ]]; then
    lists+=(tools/apt-test.txt)
    locked() { cat requirements.lock; }
fi
inputs=(pyproject.toml requirements.lock hatch_build.py tools/apt-demo.txt tools/apt-test.txt tools/bootstrap.sh)
stamp=.venv/.bootstrap
say() { printf 'bootstrap: %s\n' "$*" >&2; }

step() {  # WHAT COMMAND ...
    local what=$1 log seconds=$SECONDS
    shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        say "$what: $((SECONDS - seconds)) s"
        rm -f "$log"
        return
    fi
    cat "$log" >&2
    rm -f "$log"
    say "$what: failed after $((SECONDS - seconds)) s, as shown above"
    return 1
}

system_packages() {
    local wanted missing=() package
    mapfile -t wanted < <(grep -hv '^#' "${lists[@]}")
    command -v dpkg-query >/dev/null || { say "not a Debian system; needed here: ${wanted[*]}"; return; }
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID)); then say "not root, so not installed: ${missing[*]}"; return; fi
    step "Debian packages: ${missing[*]}" get "${missing[@]}"
}

get() {  # apt's lists are fetched only where they lack a package: they may be those of an image, or of a moment ago
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    local install=(apt-get -qq install -y --no-install-recommends --no-upgrade "$@")
    "${install[@]}" || { apt-get -qq update && "${install[@]}"; }
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

pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install -q --no-deps)
python_packages() { "${pip[@]}" -r <(locked); }

compile() {  # the compiler came with the Python packages; says nothing when nothing changed
    local seconds=$SECONDS made
    made=$(.venv/bin/python tools/natives.py --quiet)
    [[ -z $made ]] || say "compiled $(wc -l <<<"$made") BPF objects and programs: $((SECONDS - seconds)) s"
}

fresh() {  # what root made is good for everybody, and what is good for the tests for the demo; what a user made lacks the system packages
    [[ -x .venv/bin/python && -x .venv/bin/netweather && -e $stamp ]] || return
    local made=$(<"$stamp") who
    for who in "$level" test; do
        [[ $made == "$hash $who as root" || ($EUID != 0 && $made == "$hash $who "*) ]] && return
    done
    return 1
}

hash=$(cat "${inputs[@]}" | sha256sum | cut -c1-32)
if ! fresh; then
    mkdir -p .venv
    exec 9<.venv
    flock 9
fi
if ! fresh; then
    system_packages
    .venv/bin/python -c '' 2>/dev/null || step "Python environment .venv" "$(pick_python)" -m venv --clear .venv
    step "Python packages" python_packages
    compile
    step "netweather itself, editable" "${pip[@]}" --no-build-isolation -e .
    echo "$hash $level as $( ((EUID)) && echo user || echo root)" >"$stamp"
fi
compile
