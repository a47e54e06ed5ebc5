# shellcheck shell=bash
# setup.sh - what examples/run, tests/run and the other scripts share: the packages they need, how
# they build, and how they talk to a person. Sourced after `set -euo pipefail`; moves to the
# project's root. Everything fits a terminal of 80 columns.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

script=${0#"$PWD"/}
step_log='' # where the output of the last step went
ctest_log=''

# ---- the packages, by purpose (Debian's names) ----

declare -A packages=(
    [build]="gcc libc6-dev cmake ninja-build pkg-config libnng-dev
             libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotoc-dev"
    [test]="libcmocka-dev libnanomsg-dev"
    [check]="clang clang-tidy clang-format cppcheck shellcheck g++ git mmdebstrap"
    [fuzz]="clang libclang-rt-14-dev"
)

# ---- talking ----

say() { printf '%s\n' "$@"; } # each argument on a line of its own

die() {
    printf '%s: %s\n' "$script" "$*" >&2
    exit 1
}

# Reads a command's output into the log $1 and prints it but for the lines that match $2; after ten
# seconds of silence, where the command is: the tests that are running, or its last line.
narrate() {
    local log=$1 hide=$2 line part='' last='starting' start=$SECONDS quiet=$SECONDS status
    local -A running=()
    while true; do
        status=0
        IFS= read -r -t 2 line || status=$?
        if ((status > 128)); then # a time-out: what came so far is a part of a line
            part+=$line
        elif ((status == 0)) || [[ -n $part$line ]]; then
            line=$part$line part=''
            printf '%s\n' "$line" >&3
            [[ $line =~ ^[[:space:]]*$ ]] || last=${line#"${line%%[![:space:]]*}"}
            if [[ $line =~ ^\ +Start\ +[0-9]+:\ (.+) ]]; then
                running[${BASH_REMATCH[1]}]=1
            elif [[ $line =~ ^\ *[0-9]+/[0-9]+\ Test\ +#[0-9]+:\ ([^\ ]+) ]]; then
                unset "running[${BASH_REMATCH[1]}]"
            fi
            if [[ ! $line =~ $hide ]]; then
                printf '%s\n' "$line"
                quiet=$SECONDS
            fi
        fi
        if ((SECONDS - quiet >= 10)); then
            ((${#running[@]} == 0)) || last="running ${!running[*]}"
            printf '   %3d s: %.70s\n' $((SECONDS - start)) "$last"
            quiet=$SECONDS
        fi
        ((status == 0 || status > 128)) || return 0
    done 3>"$log"
}

# step TITLE COMMAND...: runs a command without its output, which goes to $step_log; the end of
# that is shown if the command fails.
step() {
    local title=$1 start=$SECONDS
    shift
    mkdir -p build/logs
    step_log="build/logs/${title//[^A-Za-z0-9]/-}.log"
    say "-- $title"
    if ! "$@" 2>&1 </dev/null | narrate "$step_log" '.*'; then
        tail -n 40 "$step_log" >&2
        return 1
    fi
    ((SECONDS - start < 10)) || say "   done in $((SECONDS - start)) s"
}

# ---- packages ----

package_missing() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) != installed ]]
}

# install_packages PURPOSE...: whatever is missing of these lists.
install_packages() {
    local purpose name missing=() as_root=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        die "needs Debian's apt-get; CONTRIBUTING.md says how to build elsewhere."
    fi
    for purpose in "$@"; do
        for name in ${packages[$purpose]}; do
            ! package_missing "$name" || missing+=("$name")
        done
    done
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "must be run as root, or with sudo there, to install: ${missing[*]}"
        sudo -v || die "sudo did not let us install: ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing with apt-get:" && printf '%s\n' "${missing[*]}" | fold -s -w 76 | sed 's/^/   /'
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    step "package lists" "${as_root[@]}" update || true # what matters is what can be installed
    step "packages" "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" ||
        die "$(why_not_installed)"
}

why_not_installed() {
    local log=build/logs
    if grep -qE 'Could not resolve|Unable to connect|Temporary failure|Failed to fetch' \
        "$log/package-lists.log" "$log/packages.log"; then
        echo "the package servers could not be reached; is there a network?"
    elif grep -q 'Unable to locate package' "$log/packages.log"; then
        echo "this distribution lacks packages; Debian 12 or newer has them all."
    else
        echo "apt-get failed; the lines above and $log/packages.log say why."
    fi
}

# ---- building ----

# build_preset NAME [ARGUMENT of cmake --build]...: configures and builds build/NAME.
build_preset() {
    local preset=$1
    shift
    step "configure $preset" cmake --preset "$preset" ||
        die "CMake could not configure the preset $preset; see above and $step_log."
    step "build $preset" cmake --build --preset "$preset" "$@" ||
        die "the preset $preset does not build; see above and $step_log."
}

# run_ctest PRESET [ARGUMENT of ctest]...: runs the tests of build/PRESET and shows each result.
run_ctest() {
    local preset=$1
    shift
    mkdir -p build/logs
    ctest_log=build/logs/ctest-$preset.log
    say "-- test $preset"
    ctest --preset "$preset" --no-tests=error --no-label-summary --parallel "$(nproc)" "$@" \
        2>&1 </dev/null | narrate "$ctest_log" '^(Internal ctest|Test project| +Start )'
}
