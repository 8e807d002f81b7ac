#!/bin/sh
# The whole path once: data is made, lands, is checked, kept and loaded; a model is built of it; then new
# data, and only that; then a run that is killed, and the one after it.
set -eu
folder=${1:-demo}
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi

tell() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
say() {
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}

rm -rf "$folder"
say penstock init files "$folder" --no-input
cd "$folder"
tell "40,000 rows in two files, one in five hundred of them bad in one of seven ways"
say penstock generate --rows 20000 --files 2 --bad 0.002
say penstock run
say penstock show synthetic_data --limit 5
say penstock quarantine show synthetic_data --limit 2

tell "A model: SQL in a folder, built after the load and judged by the same gate"
mkdir models
printf 'models: models/\n' >> penstock.yml
cat > models/spent_by_country.sql <<'END'
/*---
description: What people of a country spend
primary_key: country
gate: {expectations: [{name: somebody_spends, constraint: spent > 0}]}
---*/
SELECT country, count(*) AS people, sum(amount) AS spent
FROM synthetic_data
GROUP BY country
ORDER BY spent DESC
END
say cat models/spent_by_country.sql
say penstock run
say penstock show spent_by_country --limit 3

tell "New data: only the new file is loaded, and what is made of it is built again"
say penstock generate --new-data --rows 1000
say penstock plan
say penstock run

tell "A run that is killed in the middle, and the next one, which goes on from the facts"
say penstock generate --new-data --rows 300000
printf '\n%s$ penstock run & sleep 1; kill -9 $!%s\n' "$bold" "$plain"
penstock run &
pid=$!
sleep 1
kill -9 "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
say penstock run
say penstock status
say penstock show --sql "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM synthetic_data"

tell "All of it as a page to look at: tables, lineage, runs, what is set aside"
say penstock docs
