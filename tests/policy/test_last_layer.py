from reasonrft.policy import Group, Lora, Policy, score
from reasonrft.problems import Problem
from tests.policy.families import more

NAMES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.o_proj", "mlp")


def rows_seen(policy: Policy, groups: list[Group], number: int) -> dict[str, int]:
    """Rows that parts of a decoder layer compute while groups are scored."""
    layer, seen = policy.model.get_decoder().layers[number], {}
    for name in NAMES:
        part = layer.get_submodule(name)
        inner = part.base_layer if hasattr(part, "base_layer") else getattr(part, "gate_proj", part)
        # A hook that stands before a module comes after those that choose its rows.
        inner.register_forward_pre_hook(
            lambda _, args, name=name: seen.update({name: args[0][..., 0].numel()})
        )
    score(policy, groups)
    return seen


def groups_for(policy: Policy) -> list[Group]:
    prompt = policy.encoder.prompt(Problem("p", "counting", (), "?", "1"), "What is it?")
    return [Group(prompt, [more(1, 5), more(2, 3)])]


def test_the_last_layer_computes_what_completions_are_predicted_from(family_folder):
    for adapter in (None, Lora(rank=2)):
        policy = Policy(str(family_folder("qwen2-vl")), adapter=adapter)
        policy.load()
        groups = groups_for(policy)
        whole = groups[0].length
        last = dict.fromkeys(NAMES, 1 + 5 + 3) | {"self_attn.k_proj": whole}
        assert rows_seen(policy, groups, -1) == last
        assert rows_seen(policy, groups, 0) == dict.fromkeys(NAMES, whole)


def test_a_pass_without_shared_prompts_computes_everything(family_folder):
    policy = Policy(str(family_folder("qwen2-vl")))
    policy.load()
    groups = groups_for(policy)
    score(policy, groups)  # what was needed in it is forgotten
    seen = []
    mlp = policy.model.get_decoder().layers[-1].mlp
    mlp.gate_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    policy(**policy.collate([groups[0].prompt.inputs], "right"))
    assert seen == [groups[0].prompt.length]
