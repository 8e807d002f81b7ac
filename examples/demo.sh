#!/bin/sh
# The whole path once: data is made, lands, is checked, kept and loaded; then new data, and only that.
set -eu
folder=${1:-demo}

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

rm -rf "$folder"
say penstock init files "$folder" --no-input
cd "$folder"
say penstock generate --rows 20000 --files 2 --bad 0.002
say penstock run
say penstock show synthetic_data --limit 5
say penstock quarantine list
say penstock generate --new-data --rows 1000
say penstock plan
say penstock run
say penstock status
