#!/usr/bin/env bash
# Runs recipes on the tiny model with three seeds, beside the plain run that each is compared with:
#
#   python benchmarks/text_server.py --wrong 0.2 &
#   export OMP_NUM_THREADS=1
#   JOBS=2 benchmarks/recipes.sh                # or by name: benchmarks/recipes.sh plain r3
#   cd outputs/recipes && python -m reasonrft report plain r3 before_counting
#
# Compared runs start from the same policy, see the same problems and take as many steps: 40 of 8
# prompts. What a seed has left is not run again. STEPS=1 QUESTIONS=2 SEEDS=0 tries all of it.
set -euo pipefail

all=(plain noisy_rollout papo r3 judge captioning iterate plain_zero on_policy_distillation mixture
     plain_transformation star_r1 grounding)
out=${OUT:-outputs/recipes}
steps=${STEPS:-40}
endpoint=${ENDPOINT:-http://127.0.0.1:8001/v1}
# What all runs of a seed have in common; set by `one`.
seed=
rate=1e-4
task=(--config=data/counting.yaml)
levels=(--data.source.levels=[1,2])
problems=(--data.source.train=640 --data.source.val=0 --data.source.test="${QUESTIONS:-150}")

# train NAME ARGS...: a run that is neither validated nor tested
train() {
  local folder=$out/$1/seed-$seed
  shift
  [ -d "$folder/policy" ] || python -m reasonrft fit "$@" --trainer.limit_val_batches=0 \
    --trainer.limit_test_batches=0 --seed_everything="$seed" --trainer.default_root_dir="$folder"
}

# stage_1 TASK PROBLEMS EPOCHS: on chains of problems that stage 2, on the same task, does not see
stage_1() {
  task=(--config="data/$1.yaml")
  train "before_$1" --config=sft.yaml "${task[@]}" "${levels[@]}" --data.source.train="$2" \
    --data.source.val=0 --data.source.seed=3 --trainer.max_epochs="$3" \
    --model.scheduler.init_args.warmup_steps=20
  ask "before_$1" "$(policy_of "before_$1")"
}

# stage_2 NAME ARGS...
stage_2() {
  train "$1" --config=grpo.yaml "${task[@]}" "${@:2}" "${levels[@]}" "${problems[@]}" --data.seed="$seed" \
    --data.batch_size=8 --trainer.max_steps="$steps" --model.optimizer.init_args.lr="$rate" \
    --model.scheduler=WarmupLinear --model.scheduler.init_args.warmup_steps=5
}

# ask NAME POLICY: the answers of all test splits, in NAME/seed-S/evaluation, where report finds them
ask() {
  local folder=$out/$1/seed-$seed
  compgen -G "$folder/evaluation/*/summary.json" >/dev/null || python -m reasonrft test \
    --config=grpo.yaml "${task[@]}" "${levels[@]}" "${problems[@]}" --data.eval_batch_size=50 \
    --policy="$2" --trainer.default_root_dir="$folder"
}

policy_of() { echo "$out/$1/seed-$seed/policy"; }

# recipe NAME ARGS...: stage 2, and its answers
recipe() {
  stage_2 "$@"
  ask "$1" "$(policy_of "$1")"
}

# describe NAME POLICY: what is answered rightly from a policy's descriptions, by split
describe() {
  local folder=$out/$1/seed-$seed
  compgen -G "$folder/evaluation/*/predictions.jsonl" >/dev/null || python -m reasonrft predict \
    --config=grpo.yaml "${task[@]}" --config=recipes/captioning.yaml "${levels[@]}" "${problems[@]}" \
    --data.eval_batch_size=50 --endpoint="$endpoint" --policy="$2" --trainer.default_root_dir="$folder"
  for split in id ood-domain ood-operation; do
    echo "$1 $seed $split"
    grep "\"split\": \"counting/$split\"" "$folder"/evaluation/*/predictions.jsonl \
      >"$folder/$split.jsonl"
    python -m reasonrft score "$folder/$split.jsonl" --with CaptionReward \
      --with.endpoint.url "$endpoint" --with.endpoint.model reasoner --with.part thought | tail -n 1
  done
}

# one NAME SEED
one() {
  seed=$2
  case $1 in
    plain)
      ask before_counting tiny-counting
      recipe plain
      ;;
    papo | r3) recipe "$1" --config="recipes/$1.yaml" ;;
    on_policy_distillation)
      rate=1e-3 # the recipe's
      recipe "$1" --config="recipes/$1.yaml"
      ;;
    noisy_rollout)
      recipe "$1" --config="recipes/$1.yaml" --model.noisy_rollout.steps="$steps" \
        --model.noisy_rollout.midpoint="$(((2 * steps + 1) / 3))"
      ;;
    judge)
      recipe "$1" --config="recipes/$1.yaml" --endpoint="$endpoint" \
        --model.rewards.judge.init_args.rule_first=false
      ;;
    captioning)
      stage_2 "$1" --config="recipes/$1.yaml" --endpoint="$endpoint"
      describe before_captioning tiny
      describe "$1" "$(policy_of "$1")"
      ;;
    iterate)
      python -m reasonrft iterate --config=recipes/iterate.yaml --seed="$((10 * seed))" \
        --folder="$out/iterations/seed-$seed"
      ask "$1" "$out/iterations/seed-$seed/round-2/grpo/policy"
      ;;
    plain_zero)
      ask before_zero tiny
      recipe "$1" --policy=tiny
      ;;
    mixture)
      task=(--config="recipes/$1.yaml")
      levels=()
      problems=(--trainer.limit_test_batches=3)
      ask "before_$1" tiny
      recipe "$1"
      ;;
    plain_transformation)
      stage_1 transformation 160 8
      recipe "$1" --policy="$(policy_of before_transformation)"
      ;;
    star_r1)
      stage_1 transformation 160 8
      recipe "$1" --config="recipes/$1.yaml" --policy="$(policy_of before_transformation)"
      ;;
    grounding)
      stage_1 grounding 640 3
      # report names rows after folders, but for those that are called as their task is.
      recipe "after_$1" --config="recipes/$1.yaml" --policy="$(policy_of before_grounding)"
      ;;
    *)
      echo "unknown recipe $1; there are ${all[*]}" >&2
      return 1
      ;;
  esac
}

if [ "${1:-}" = --one ]; then
  one "$2" "$3"
else
  for name in "${@:-${all[@]}}"; do
    for number in ${SEEDS:-0 1 2}; do echo "$name $number"; done
  done | xargs -P "${JOBS:-1}" -L 1 "$0" --one
fi
