# shellcheck shell=bash
# Sourced by the other scripts: makes, repairs or reuses the virtual environment of a stack.
#
#     source tools/environment.sh
#     osdpm_environment [onedl|openmmlab [EXTRA,EXTRA...]]     # default: $STACK, else onedl; no extras of setup.cfg
#     "$ENV_PYTHON" -m ...
#
# Extras that an earlier call installed stay: an environment grows, and is never installed again for fewer.
#
# OSDPM_VENV    folder of the environment (default .venv, or .venv-openmmlab)
# OSDPM_PYTHON  a Python that has everything installed already; then nothing is made
# PYTHON        the Python that makes the environment (default python3)

osdpm_fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# Version and modules that the environment needs, in one sentence if they are not there.
osdpm_check_python() {
    local python=$1 stack=$2 minor=9
    [ "$stack" = onedl ] && minor=10
    command -v "$python" >/dev/null || {
        osdpm_fail "$python is not on PATH; install Python 3.$minor or newer, or name one: PYTHON=/path/to/python3"
        return 1
    }
    "$python" -c "import sys; sys.exit(sys.version_info < (3, $minor))" || {
        osdpm_fail "the $stack stack needs Python 3.$minor or newer and $python is" \
            "$("$python" -c 'import platform; print(platform.python_version())'); name another: PYTHON=/path/to/python3"
        return 1
    }
    "$python" -c 'import venv, ensurepip' 2>/dev/null || {
        osdpm_fail "$python cannot make virtual environments; install its venv module (Debian, Ubuntu: apt install python3-venv)"
        return 1
    }
}

# The files that the environment depends on: after a change of any of them it is installed again.
osdpm_fingerprint() {
    local python=$1 stack=$2
    "$python" - setup.cfg setup.py pyproject.toml "tools/constraints/$stack.txt" <<'PYTHON'
import hashlib, sys
digest = hashlib.sha256(sys.version.encode())
for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        digest.update(file.read())
print(digest.hexdigest())
PYTHON
}

# Comma-separated lists -> one, sorted, each name once.
osdpm_union() {
    printf '%s\n' "$@" | tr ',' '\n' | sed '/^$/d' | LC_ALL=C sort -u | paste -s -d , -
}

osdpm_environment() {
    local stack=${1:-${STACK:-onedl}} extras=${2:-}
    local python=${PYTHON:-python3}
    local root venv stamp want had_stack='' had_extras=''
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || return 1

    if [ -n "${OSDPM_PYTHON:-}" ]; then
        echo "environment: $OSDPM_PYTHON, as named by OSDPM_PYTHON"
        ENV_PYTHON=$OSDPM_PYTHON
        return 0
    fi
    case $stack in
        onedl) venv=$root/.venv ;;
        openmmlab) venv=$root/.venv-openmmlab ;;
        *) osdpm_fail "there is no stack '$stack'; choose onedl or openmmlab"; return 1 ;;
    esac
    if [ -n "${OSDPM_VENV:-}" ]; then
        case $OSDPM_VENV in
            /*) venv=$OSDPM_VENV ;;
            *) venv=$PWD/$OSDPM_VENV ;;
        esac
    fi
    stamp=$venv/.osdpm_plugin

    osdpm_check_python "$python" "$stack" || return 1
    # The stamp says what is installed: stack, fingerprint, extras.
    [ ! -f "$stamp" ] || read -r had_stack _ had_extras <"$stamp" || return 1
    [ "$had_stack" = "$stack" ] || had_extras=''
    extras=$(osdpm_union "$extras" "$had_extras") || return 1
    want="$stack $(cd "$root" && osdpm_fingerprint "$python" "$stack") $extras" || return 1
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
        echo "environment: $venv is up to date and reused"
        ENV_PYTHON=$venv/bin/python
        return 0
    fi

    if [ ! -f "$stamp" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        osdpm_fail "$venv holds files that this script did not make; remove it, name another folder with OSDPM_VENV," \
            "or use it as it is with OSDPM_PYTHON=$venv/bin/python"
        return 1
    fi
    # The stamp reads 'incomplete' while pip works: a killed install is thrown away, a finished one is brought up to date.
    rm -rf "$venv.discarded"
    if [ -f "$stamp" ] && { grep -q incomplete "$stamp" || ! "$venv/bin/python" -c '' 2>/dev/null; }; then
        echo "environment: $venv is incomplete and is made again"
        mv "$venv" "$venv.discarded"
        rm -rf "$venv.discarded"
    fi
    mkdir -p "$venv" || return 1
    echo incomplete >"$stamp"
    if [ ! -x "$venv/bin/python" ]; then
        echo "environment: making $venv with $("$python" --version) for the $stack stack"
        "$python" -m venv "$venv" || {
            osdpm_fail "$python could not make $venv; its message stands above"
            return 1
        }
    fi
    echo 'environment: installing; the first time this downloads torch and takes minutes'
    (cd "$root" && "$venv/bin/python" -m pip install --disable-pip-version-check \
        -c "tools/constraints/$stack.txt" -e ".[$stack${extras:+,$extras}]") || {
        osdpm_fail 'the installation failed; the message of pip stands above, run the same command again to retry'
        return 1
    }
    echo "$want" >"$stamp"
    echo "environment: $venv is ready"
    ENV_PYTHON=$venv/bin/python
}
