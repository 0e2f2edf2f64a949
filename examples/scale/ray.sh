#!/bin/bash
# Timelines on a Ray cluster inside one SLURM job of several nodes. Start it with:
#   sbatch --nodes=4 examples/scale/ray.sh
#SBATCH --job-name=keyseg-ray
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --no-kill
set -euo pipefail

VIDEOS=${VIDEOS:-/shared/videos}
BUNDLE=${BUNDLE:-/shared/bundle}
OUT=${OUT:-/shared/timelines}
export RAY_USAGE_STATS_ENABLED=0

HEAD=$(hostname)
PORT=6379
ray start --head --node-ip-address "$HEAD" --port "$PORT" --num-cpus "$SLURM_CPUS_PER_TASK" --include-dashboard false
srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) --exclude="$HEAD" \
  ray start --address "$HEAD:$PORT" --num-cpus "$SLURM_CPUS_PER_TASK" --block &
sleep 20

keyseg predict "$BUNDLE" "$VIDEOS" --out "$OUT" --format csv,eaf --resume --engine ray --address "$HEAD:$PORT"
