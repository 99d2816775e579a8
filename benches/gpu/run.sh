#!/usr/bin/env bash
# Checks, times and trains on a machine with a GPU, with a `star` that was built elsewhere. README.md beside this file has the whole story.
#
#   benches/gpu/run.sh [OPTIONS] STAGE...        check, time, plan, train, eval, pack; or all
#
#   --star FILE      the program [target/release/star]
#   --backend NAME   cuda, wgpu or flex [cuda]
#   --data DIR       300-W as it is handed out (afw/, helen/, lfpw/) [datasets/300w]
#   --out DIR        everything goes here [runs/gpu]
#   --budget MIN     minutes of training in all; the schedule is shortened to it [30]
#   --minutes MIN    minutes after which this call's `train` stops with a checkpoint; call again to go on [9]
#   --batch N        faces at once [32]
#   --precision P    of the training: tf32 or bf16; the training step is timed in both [tf32]
#   --tiny           a small network and few steps: to try the script itself
#
# A stage that is done is not done again. `train` ends with status 3 while there is more to train.
set -euo pipefail
cd "$(dirname "$0")/../.."

star=target/release/star backend=cuda data=datasets/300w out=runs/gpu budget=30 minutes=9 batch=32 precision=tf32 tiny=
stages=()
while [ $# -gt 0 ]; do
  case $1 in
    --star) star=$2; shift ;;
    --backend) backend=$2; shift ;;
    --data) data=$2; shift ;;
    --out) out=$2; shift ;;
    --budget) budget=$2; shift ;;
    --minutes) minutes=$2; shift ;;
    --batch) batch=$2; shift ;;
    --precision) precision=$2; shift ;;
    --tiny) tiny=1 ;;
    --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit ;;
    all) stages+=(check time plan train eval pack) ;;
    check | time | plan | train | eval | pack) stages+=("$1") ;;
    *) echo "error: $1 is no stage and no option; --help lists them" >&2; exit 2 ;;
  esac
  shift
done
[ ${#stages[@]} -gt 0 ] || { echo "error: name a stage: check, time, plan, train, eval, pack or all" >&2; exit 2; }
[ -x "$star" ] || { echo "error: $star is not there; build it with: cargo build --release -p star-cli --features flex,$backend" >&2; exit 2; }
star=$(realpath "$star")
mkdir -p "$out"

python=python3
threads=$(nproc)
workers=$((threads > 3 ? threads - 2 : threads))
config=configs/300w.toml
network=()
bench_seconds=5 rounds=3
if [ -n "$tiny" ]; then
  network=(--set model.stacks=1 --set model.channels=16 --set model.stem=8 --set model.input_size=64)
  bench_seconds=0 rounds=1
fi
lists=("--set" "data.train=$out/lists/train.tsv" "--set" "data.test=$out/lists/lfpw_test.tsv" "--set" "data.images=$data")
loading=(--set "train.workers=$workers" --set train.cache_mib=4096 --set "train.precision=$precision")

say() { echo "== $*"; }
kept() { [ -e "$1" ] && say "$1 is there already"; }

# What the backend needs, once for all stages.
if [ "$backend" = cuda ]; then
  exports=$($python benches/gpu/cuda_home.py "$(realpath "$out")/cuda" 2>"$out/cuda_home.txt") || { cat "$out/cuda_home.txt" >&2; exit 1; }
  eval "$exports"
fi

stage_check() {
  kept "$out/check.json" && return
  {
    date -u +%FT%TZ
    "$star" --version
    sha256sum "$star"
    uname -srm
    grep -m1 'model name' /proc/cpuinfo || true
    nproc
    nvidia-smi 2>&1 || echo "no nvidia-smi"
    cat "$out/cuda_home.txt" 2>/dev/null || true
    $python -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.cuda.is_available())' 2>&1 || true
  } | tee "$out/machine.txt"

  say "the same figures: 20 steps of a small network on $backend and on flex"
  local run
  for run in "$backend" flex; do
    rm -rf "$out/same-$run-$run"
    "$star" train --config benches/gpu/same.toml --backend "$run" --out "$out/same-$run-$run" >"$out/same-$run.log" 2>&1 || { tail -5 "$out/same-$run.log" >&2; return 1; }
  done
  # Weights of this backend, read by both.
  for run in "$backend" flex; do
    "$star" predict docs/astronaut.jpg --weights "$out/same-$backend-$backend/weights/last.safetensors" --backend "$run" --overlay none --out "$out/predicted-$run"
  done
  # Kernels of NVIDIA GPUs may take TF32 (10 bits) where they are faster.
  $python benches/gpu/same_figures.py --runs "$out/same-flex-flex" "$out/same-$backend-$backend" \
    --predictions "$out/predicted-flex/astronaut.json" "$out/predicted-$backend/astronaut.json" | tee "$out/same_small.json"

  if [ -z "$tiny" ]; then
    say "and 3 steps of the full network"
    for run in "$backend" flex; do
      rm -rf "$out/full-$run-$run"
      "$star" train --config $config --set data.source=synth --set data.synth.faces=40 --set data.held_out=0.1 --set train.batch_size=4 \
        --set train.learning_rate=1e-6 --backend "$run" --out "$out/full-$run-$run" --stop-after 3 >"$out/full-$run.log" 2>&1 || [ $? -eq 130 ]
    done
    $python benches/gpu/same_figures.py --runs "$out/full-flex-flex" "$out/full-$backend-$backend" | tee "$out/same_full.json"
  fi
  cp "$out/same_small.json" "$out/check.json"
}

stage_time() {
  local peer=() case
  if $python -c 'import torch, safetensors' 2>/dev/null; then
    # Threads are for what stays on the CPU.
    peer=(--against pytorch)
    [ "$backend" = cuda ] || peer+=(--peer-device cpu)
  else
    say "no PyTorch here: our own figures only"
  fi
  local cases=(inference/1/tf32 "inference/$batch/tf32" "training-step/$batch/tf32" "loss/$batch/tf32")
  # WGSL has no bf16.
  [ "$backend" = wgpu ] || cases+=("training-step/$batch/bf16")
  for case in "${cases[@]}"; do
    local folder="$out/time-${case//\//-}" name size number
    kept "$folder" && continue
    IFS=/ read -r name size number <<<"$case"
    "$star" bench --config $config "${network[@]}" --set "train.precision=$number" --backend "$backend" --case "$name" --batch "$size" --threads "$threads" \
      --rounds $rounds --seconds $bench_seconds "${peer[@]}" --out "$folder.part"
    mv "$folder.part" "$folder"
  done
  $python benches/gpu/table.py "$out" | tee "$out/table.md"
}

prepare_lists() {
  [ -e "$out/lists/train.tsv" ] || "$star" prepare 300w --root "$data" --out "$out/lists"
}

# Seconds a step, loading included: two short runs, the longer less the shorter.
stage_plan() {
  kept "$out/plan.json" && return
  prepare_lists
  local short=10 long=40 steps began
  [ -z "$tiny" ] || { short=2 long=6; }
  local seconds=()
  # Once before, so that kernels are chosen and compiled.
  for steps in $short $short $long; do
    rm -rf "$out/trial"
    began=$($python -c 'import time; print(time.time())')
    "$star" train --config $config "${network[@]}" "${lists[@]}" "${loading[@]}" --set "train.batch_size=$batch" --set train.log_every=10 \
      --backend "$backend" --out "$out/trial" --stop-after "$steps" >"$out/trial.log" 2>&1 || [ $? -eq 130 ] || { tail -5 "$out/trial.log" >&2; return 1; }
    seconds+=("$($python -c "import time; print(time.time() - $began)")")
  done
  rm -rf "$out/trial"
  local a_step faces
  a_step=$($python -c "print(max(1e-4, (${seconds[2]} - ${seconds[1]}) / ($long - $short)))")
  faces=$($python -c "print(round(0.9 * sum(1 for _ in open('$out/lists/train.tsv'))))")
  $python benches/gpu/schedule.py --minutes "$budget" --seconds-a-step "$a_step" --faces "$faces" --batch "$batch" >"$out/plan.part"
  mv "$out/plan.part" "$out/plan.json"
  cat "$out/plan.json"
}

stage_train() {
  kept "$out/run/report/test.json" && return
  stage_plan
  local watch= args settings status=0
  if [ ! -e "$out/run/checkpoints" ] || [ -z "$(ls "$out/run/checkpoints")" ]; then
    rm -rf "$out/run"
    settings=$($python -c "
import json
for key, value in json.load(open('$out/plan.json'))['settings'].items(): print('--set'); print(f'{key}={value}')")
    mapfile -t args <<<"$settings"
    args+=(--config $config "${network[@]}" "${lists[@]}" "${loading[@]}" --out "$out/run")
  else
    args=(--resume "$out/run")
  fi
  if [ "$backend" != flex ] && command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used,power.draw --format=csv,noheader --loop=2 >>"$out/gpu.csv" &
    watch=$!
    trap "kill $watch 2>/dev/null || true" EXIT
  fi
  timeout --preserve-status --signal=INT --kill-after=90 "$($python -c "print(60 * $minutes)")" \
    "$star" train "${args[@]}" --backend "$backend" 2>&1 | tee -a "$out/train.log" || status=$?
  [ -z "$watch" ] || kill "$watch" 2>/dev/null || true
  if [ $status -eq 130 ]; then
    say "there is more to train: call this stage again"
    exit 3
  fi
  return $status
}

stage_eval() {
  [ -e "$out/run/report/test.json" ] || { echo "error: the training has not ended yet; call the stage train again" >&2; return 1; }
  "$star" eval --weights "$out/run/weights/best.safetensors" --annotations "$out/lists/lfpw_test.tsv" --images "$data" \
    --backend "$backend" --json "$out/eval.json" | tee "$out/eval.txt"
  (cd "$out/run/weights" && sha256sum ./*.safetensors) | tee "$out/weights.sha256"
}

# All but what is large: what is written down, not what can be made again.
stage_pack() {
  local files
  mapfile -t files < <(cd "$out" && find . \( -name checkpoints -o -name weights -o -name cuda -o -name lists -o -name results.tar.gz \) -prune -o -type f -print)
  tar -C "$out" -czf "$out/results.tar.gz" "${files[@]}"
  ls -l "$out/results.tar.gz"
}

for stage in "${stages[@]}"; do
  say "$stage"
  "stage_$stage"
done
