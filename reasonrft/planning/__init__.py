"""How much memory a run will take, before it is begun: its own code, on tensors without contents.

made (cli/fit_options.py)   the configuration of `fit`: module and datamodule, no trainer
hollow_policy.py            the policy, with shapes in the place of weights
longest_batch.py            the longest prompts that the run can meet
step_phases.py              one training step on them, phase by phase
memory_trace.py             what lives meanwhile, by part
ranks_share.py              what of that each rank holds
knobs.py                    what to turn where it does not fit
"""
