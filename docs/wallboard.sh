#!/bin/sh
# Makes docs/wallboard.png and docs/wallboard-dark.png: the wallboard of a demo in mid-run. Needs python3 and Chromium,
# which it installs with apt-get where it can. usage: docs/wallboard.sh [WIDTH HEIGHT]
set -eu
cd "$(dirname "$0")/.."

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if ! browser >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null ||
        { echo "wallboard.sh: install chromium first" >&2; exit 1; }
fi

# STROWGER names a binary that is there already.
[ -n "${STROWGER:-}" ] || cargo build --release --quiet -p strowger-node
work=$(mktemp -d)
"${STROWGER:-target/release/strowger}" demo --calm --seconds 60 --callers-per-second 5 --json >"$work/verdict" 2>"$work/said" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT

until address=$(sed -n 's/^wallboard //p' "$work/said") && [ -n "$address" ]; do
    kill -0 "$demo" || { cat "$work/said" >&2; exit 1; }
    sleep 0.2
done
python3 docs/picture.py "$(browser)" "$address" 45 "${1:-1280}" "${2:-1620}" docs/wallboard.png docs/wallboard-dark.png
wait "$demo"
