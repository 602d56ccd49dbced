#!/bin/sh
# Makes a virtual environment, unless there is a sound one: tools/bootstrap.sh <python> <folder>
# On Debian and its kin, as root, it installs what Python lacks for that; elsewhere it says so.
set -eu
python=$1
venv=$2
. "$(dirname "$0")/debian.sh"

fail() {
    echo "$*" >&2
    exit 1
}

"$venv/bin/python" -m pip --version >/dev/null 2>&1 && exit

if ! command -v "$python" >/dev/null; then
    { [ "$python" = python3 ] && install_debian python3 python3-venv; } ||
        fail "There is no $python. Install Python 3.11 or newer, or name it: make PYTHON=..."
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old. Install Python 3.11 or newer, or name it: make PYTHON=..."

# Debian leaves out of python3 what makes virtual environments.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    install_debian "$package" ||
        fail "$python cannot make virtual environments. On Debian or Ubuntu: apt install $package"
fi

"$python" -m venv --clear "$venv"
