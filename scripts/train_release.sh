#!/usr/bin/env bash
# Train the network that is released, in stretches of MINUTES (default 9) for machines with a time limit:
# run it again until it prints the bundle's folder. Needs no network; pictures are read from $CVPIPE_SHARED
# (default ../shared), checkpoints and drawn patches are kept in .cache/train, where each job finds the one before.
#
#   MINUTES=9 DEVICE=cuda scripts/train_release.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=(--minutes "${MINUTES:-9}" --device "${DEVICE:-auto}")

for job in base rare coarse world second third; do
  bundle=".cache/train/cvpipe-s-$job/bundle"
  [[ -d "$bundle" ]] && continue
  "${PYTHON:-python3}" -m cvpipe.cli train "configs/train/release-s-$job.yaml" "${options[@]}" --out "$bundle"
  [[ -d "$bundle" ]] || exit 0 # paused: the next call goes on
done
exec "${PYTHON:-python3}" -m cvpipe.cli train configs/train/release-s.yaml "${options[@]}" --out "${OUT:-models/cvpipe-s}"
