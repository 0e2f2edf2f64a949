#!/bin/bash
# Timelines of a folder of videos as a job array. Start it with:
#   sbatch --array=1-16 examples/scale/slurm.sh
# Each task has its part of the videos, with as many processes as it has cores. If tasks fail or are killed, start the
# same array again: what is finished is kept.
#SBATCH --job-name=keyseg
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=keyseg-%A-%a.log
set -euo pipefail

VIDEOS=${VIDEOS:-/shared/videos}
BUNDLE=${BUNDLE:-/shared/bundle}
OUT=${OUT:-/shared/timelines}
CACHE=${CACHE:-/shared/keyseg-cache}

# To repeat single tasks, as with --array=3, name the number of parts: PARTS=16.
PARTS=${PARTS:-$SLURM_ARRAY_TASK_COUNT}

keyseg predict "$BUNDLE" "$VIDEOS" --out "$OUT" --cache "$CACHE" --format csv,eaf --resume \
  --shard "$SLURM_ARRAY_TASK_ID/$PARTS" --workers "$SLURM_CPUS_PER_TASK"
