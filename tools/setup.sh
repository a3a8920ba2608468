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

# Installs Debian packages, if we may: debian WHAT-FOR PACKAGE...
debian() {
    purpose=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $*, $purpose"
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@"; } \
            >/dev/null 2>&1 || echo "$* could not be installed: tests that need it are skipped" >&2
    else
        echo "Missing, $purpose: tests that need it are skipped (apt-get install $*, as root)" >&2
    fi
}

# The tests look at reports in a real browser; without one they say that they were skipped.
command -v chromium >/dev/null || debian "in which the tests look at reports" chromium

# Attested inference is tested on a TPM in software, in a sandbox.
if ! command -v swtpm >/dev/null || ! command -v swtpm_setup >/dev/null || ! command -v bwrap >/dev/null; then
    debian "for the tests of attested inference" swtpm swtpm-tools bubblewrap
fi

# The TPM's library for Python is built here, for which its C library must be there before.
if ! "$venv/bin/python" -c 'import tpm2_pytss' 2>/dev/null; then
    pkg-config --exists tss2-esys 2>/dev/null || debian "to build tpm2-pytss" libtss2-dev pkg-config gcc libc6-dev
    if pkg-config --exists tss2-esys 2>/dev/null; then
        echo "Building tpm2-pytss: about a minute"
        $pip install --constraint constraints.txt "tpm2-pytss>=3.0" \
            || echo "tpm2-pytss could not be built: tests of TPMs are skipped" >&2
    else
        echo "There is no libtss2-dev: tests of TPMs are skipped" >&2
    fi
fi

# Multi-party computation has an environment of its own, outside of this folder: 1 GB, half a minute, made once.
"$venv/bin/eyelid" infer mpc setup || echo "Tests of multi-party computation are skipped" >&2
