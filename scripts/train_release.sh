#!/usr/bin/env bash
# Train the network that is released, in stretches of MINUTES (default 9) for machines that are lent by the call:
# run it again until it prints the bundle's folder. Needs no network; pictures are read from $CVPIPE_SHARED
# (default ../shared), checkpoints and drawn patches are kept in $WORK (default .cache/train).
#
#   MINUTES=9 DEVICE=cuda scripts/train_release.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work="${WORK:-.cache/train}"
options=(--minutes "${MINUTES:-9}" --device "${DEVICE:-auto}" --work "$work")
train=("${PYTHON:-python3}" -m cvpipe.cli train)

if [[ ! -d "$work/cvpipe-s-base/bundle" ]]; then
  "${train[@]}" configs/train/release-s-base.yaml "${options[@]}" --out "$work/cvpipe-s-base/bundle"
fi
if [[ -d "$work/cvpipe-s-base/bundle" ]]; then
  "${train[@]}" configs/train/release-s.yaml "${options[@]}" --out "${OUT_BUNDLE:-models/cvpipe-s}"
fi
