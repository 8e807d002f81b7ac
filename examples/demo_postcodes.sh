#!/bin/sh
# The pipeline of the postcodes: a thousand calls of an API land, are checked against metadata, kept,
# loaded, and counted into a partition for the day; then again, a week later and a second time that day.
# The API is a server of the project that lives as long as the command behind it, whatever becomes of that.
set -eu
folder=${1:-demo-postcodes}
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi

tell() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
say() {
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}
release() {
    git add .
    git -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false commit -q -m "$1"
    git tag "$2"
}

rm -rf "$folder"
say penstock init postcodes "$folder" --no-input
cd "$folder"
git init -q
release "First extract" v1.0.0

tell "A thousand calls, checked against metadata of 2019: the API has other fields today"
export SNAPSHOT_DATE=2030-01-24
say python server.py penstock run

tell "The answers are kept as they landed; the landing area is empty again"
say find data/land data/raw_hist -name "*.jsonl.gz"

tell "Ten answers were bad on purpose, and are set aside with the reason"
say penstock quarantine show random_postcodes --limit 5 | cut -c -110

tell "The rest is in the warehouse"
say penstock show --sql "SELECT postcode, country, region, admin_district, latitude FROM random_postcodes" \
    --limit 5

tell "And counted: a partition for the day, with the tag of the code that counted"
say penstock show calculated
say find curated -name "*.parquet"

tell "A change of mind: take the new fields in, for all that was ever kept"
say sed -i.bak "s/{columns: discard_value}/{columns: evolve}/" penstock.yml
rm penstock.yml.bak
say penstock rebuild --table random_postcodes --yes -q
say penstock show --sql "SELECT postcode, pfa, lsoa21, date_of_introduction FROM random_postcodes" --limit 3
release "Take new fields in" v1.1.0

tell "A week later, other postcodes: a new day, and the old one stays as it is"
export SNAPSHOT_DATE=2030-01-31
say python server.py --seed 2 penstock run -q

tell "The same day again: its rows are replaced"
say python server.py --seed 3 penstock run -q
say find curated -name "*.parquet"
say penstock show --pipeline calculated \
    --sql "SELECT dea_snapshot_date, dea_version, sum(n) AS postcodes FROM calculated GROUP BY ALL ORDER BY 1"
