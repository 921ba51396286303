#!/usr/bin/env bash
# Make the sample that ships with the plugin, with logexport's own commands and the log generator
# of examples/sample. Run it where logexport and this plugin are installed.
set -euo pipefail
export OMP_NUM_THREADS=1 # the network is small: threads would only wait for each other
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
sample=src/logexport_transformer/sample
mkdir -p "$sample"

python ../sample/generate_log.py --lines 20000 --seed 11 --output "$work/training.log"
python ../sample/generate_log.py --lines 1000 --seed 12 --faults-every 40 --output "$sample/sample.log"
logexport parse "$work/training.log" -o "$work"
logexport transformer build --parsed "$work/parsed.parquet" -o "$work"
logexport transformer train --sequences "$work/sequences.parquet" --vocab "$work/vocab.json" \
    --epochs 6 -o "$sample/transformer.pth"
cp "$work/vocab.json" "$work/preprocess.json" "$sample/"
