#!/usr/bin/env bash
# Runs all that a GPU can show in at most eight minutes, and writes every table into one folder.
#
#   benchmarks/gpu.sh [FOLDER]               FOLDER is outputs/gpu if not given
#   DEVICE=cpu benchmarks/gpu.sh [FOLDER]    the same on a small model, to see that it runs
#
# A part that fails or takes too long costs the others nothing: the most important come first.
#   machine.txt    GPU, versions, and the peak memory that `plan` predicts for the step
#   check.txt      captured decoding against the eager loop
#   decoding.txt   decode loops over 1 to 128 rows
#   step.txt       a step beside TRL's; its rows of memory are to be held to the prediction
#   sync.txt       where an update waits for the device, and its gradients against plain rows
#   natural.txt    a step whose completions end by themselves
#   tables.json    the same figures, a line for each part that has any
#   log.txt        what they said else, step by step
set -u
DEVICE=${DEVICE:-cuda}
PYTHON=${PYTHON:-python3}
mkdir -p "${1:-outputs/gpu}" && OUT=$(cd "${1:-outputs/gpu}" && pwd) || exit
cd "$(dirname "$0")/.." || exit
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1

if [ "$DEVICE" = cuda ]; then
  LIMIT=${LIMIT:-480} slower=1 shape=2b
  check=(--shape 2b)
  decode=(--tokens 256 --loops '[eager,captured-shared,captured-repeated]')
  steps=(--first 2 --steps 2 --waited 1) natural=(--first 2 --steps 1)
else
  LIMIT=${LIMIT:-1800} slower=4 shape=mini
  check=(--models '[mini]') decode=(--tokens 8 --rows '[1,16]')
  steps=(--first 1 --steps 1) natural=(--first 1 --steps 1)
fi
rm -f "$OUT"/{machine,check,step,decoding,natural,sync,log}.txt "$OUT"/tables.json

# part NAME SECONDS COMMAND...: its output, and the JSON that is the last line of some.
part() {
  local name=$1 most=$(($2 * slower)) left=$((LIMIT - SECONDS)) began=$SECONDS code
  shift 2
  echo "== $name: $*" >>"$OUT/log.txt"
  timeout -k 5 $((left < 1 ? 1 : left < most ? left : most)) "$@" >"$OUT/$name.txt" 2>>"$OUT/log.txt"
  code=$?
  if [ "$(tail -n 1 "$OUT/$name.txt" | head -c 1)" = "{" ]; then
    tail -n 1 "$OUT/$name.txt" | sed "s/^{/{\"part\": \"$name\", /" >>"$OUT/tables.json"
    sed -i '$ d' "$OUT/$name.txt"
  fi
  echo "$name: exit code $code after $((SECONDS - began)) s" | tee -a "$OUT/log.txt"
  failed=$((failed + (code != 0)))
}

machine() {
  date -u
  [ "$DEVICE" = cpu ] || nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
  grep -m 1 "model name" /proc/cpuinfo
  nproc --all
  "$PYTHON" - <<'PYTHON'
import platform
from importlib.metadata import PackageNotFoundError, version

print("Python", platform.python_version())
for name in "torch transformers lightning peft trl vllm".split():
    try:
        print(name, version(name))
    except PackageNotFoundError:
        print(name, "is not here")
PYTHON
}

failed=0
machine >"$OUT/machine.txt" 2>&1
# Takes no GPU, so that it need not be waited for.
"$PYTHON" benchmarks/memory_table.py --step-only --sizes "${shape/mini/tiny}" \
  >>"$OUT/machine.txt" 2>>"$OUT/log.txt" &
plan=$!
common=(--shape "$shape" --device "$DEVICE" --json)
part check 120 "$PYTHON" benchmarks/loop_check.py --device "$DEVICE" "${check[@]}"
part decoding 130 "$PYTHON" benchmarks/decoding.py "${common[@]}" "${decode[@]}"
part step 210 "$PYTHON" benchmarks/grpo_step.py "${common[@]}" "${steps[@]}"
part sync 60 "$PYTHON" benchmarks/sync_check.py
part natural 150 "$PYTHON" benchmarks/grpo_step.py "${common[@]}" "${natural[@]}" \
  --lengths natural
wait "$plan"
echo "all: $SECONDS s, $failed parts failed; tables are in $OUT"
exit $((failed > 0))
