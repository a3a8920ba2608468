#!/bin/sh
# Makes the virtual environment $1 (with the Python $2, if given) and installs eyelid and its tools into it.
set -eu
venv=$1
wanted=${2:-}

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

if ! usable "$venv/bin/python"; then
    python=
    for candidate in ${wanted:-python3 python3.13 python3.12 python3.11}; do
        if usable "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "eyelid needs Python 3.11, 3.12 or 3.13, and ${wanted:-python3} is none of them." >&2
        echo "On Debian or Ubuntu: apt-get install python3 python3-venv; else name one: make test PYTHON=..." >&2
        exit 1
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Python $version has no venv module. On Debian or Ubuntu: apt-get install python$version-venv" >&2
        exit 1
    fi
    echo "Setting up $venv with $("$python" --version): about a minute"
    "$python" -m venv --clear "$venv"
fi

# Dependency groups came with pip 25.1.
pip="$venv/bin/python -m pip --quiet --quiet --disable-pip-version-check"
$pip install --upgrade "pip>=25.1"
$pip install --constraint constraints.txt --editable . --group dev

# The tests look at reports in a real browser; without one they say that they were skipped.
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing chromium, in which the tests look at reports"
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium; } \
            >/dev/null 2>&1 || echo "chromium could not be installed: tests that need it are skipped" >&2
    else
        echo "There is no chromium: tests that look at reports are skipped (apt-get install chromium, as root)" >&2
    fi
fi
