#!/usr/bin/env bash
# Train the network that is released, in stretches of MINUTES (default 9) for machines that are lent by the call:
# run it again until it prints the bundle. Needs no network; pictures are read from $CVPIPE_SHARED (default ../shared).
#
#   MINUTES=9 scripts/train_release.sh --device cuda --work "$OUT/train" --out "$OUT/cvpipe-s"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python3}" -m cvpipe.cli train configs/train/release-s.yaml --minutes "${MINUTES:-9}" "$@"
