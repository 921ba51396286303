#!/usr/bin/env bash
# Run one fuzz target of build/fuzz for some seconds, beginning with what fuzz/seeds keeps for it.
# One line if it finds nothing; else the report, and the input, which is kept as a file.
#
#     fuzz/run.sh TARGET SECONDS
#     fuzz/run.sh TARGET merge      take into fuzz/seeds what earlier runs found and it does not reach
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
tree=$PWD/build/fuzz
seeds=fuzz/seeds/$target
corpus=$tree/corpus/$target
log=$tree/$target.log
[ -n "$(ls -A "$seeds" 2>/dev/null)" ] || { echo "$target: native/$seeds keeps no input"; exit 1; }
mkdir -p "$corpus" "$tree/found"
# Targets write bundles: in memory that is ten times as fast.
place=${TMPDIR:-/tmp}
[ ! -w /dev/shm ] || place=/dev/shm
TMPDIR=$(mktemp -d "$place/fuzz-XXXXXX")
trap 'rm -rf "$TMPDIR"' EXIT
export TMPDIR
export UBSAN_OPTIONS=print_stacktrace=1

limits=(-max_len=4096 -rss_limit_mb=4096 -timeout=20 -artifact_prefix="$tree/found/$target-")
if [ "$2" = merge ]; then
  before=$(find "$seeds" -type f | wc -l)
  # Counters off: an input for every edge, not for every number of times that it is taken.
  "$tree/fuzz/$target" "${limits[@]}" -merge=1 -use_counters=0 "$seeds" "$corpus" >"$log" 2>&1 ||
    { cat "$log"; exit 1; }
  echo "$target: $before inputs were kept, now $(find "$seeds" -type f | wc -l)"
elif "$tree/fuzz/$target" "${limits[@]}" -max_total_time="$2" -print_final_stats=1 \
  "$corpus" "$seeds" >"$log" 2>&1; then
  covered=$(sed -n 's/^#.*[[:space:]]DONE[[:space:]]*cov: \([0-9]*\).*/\1/p' "$log")
  sed -n "s/^Done \([0-9]*\) runs in \([0-9]*\) second.*/$target: \1 runs in \2 s, \
$covered edges covered, nothing found/p" "$log"
else
  {
    grep -v '^#[0-9]' "$log" # all but the progress
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    if [ -n "$input" ]; then
      echo "$target fails on $input; again: $tree/fuzz/$target $input"
      echo "that input in base64: $(base64 -w 0 "$input")"
    else
      echo "$target fails, and left no input"
    fi
  } | sed "s/^/$target: /"
  exit 1
fi
