import torch

from reasonrft.policy.scoring import token_log_probs


def head_of(vocabulary: int, width: int) -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(width, vocabulary, bias=False)


def test_chunks_change_neither_values_nor_gradients():
    head = head_of(11, 4)
    targets = torch.randint(0, 11, (10,))
    gradients, values = [], []
    for chunk in (1, 3, 100):
        hidden = torch.linspace(-1, 1, 40).reshape(10, 4).requires_grad_()
        log_probs, _ = token_log_probs(hidden, targets, head, chunk=chunk)
        head.zero_grad()
        log_probs.sum().backward()
        values.append(log_probs)
        gradients.append((hidden.grad, head.weight.grad.clone()))
    plain = head(torch.linspace(-1, 1, 40).reshape(10, 4)).log_softmax(-1)
    for value, (inner, outer) in zip(values, gradients, strict=True):
        torch.testing.assert_close(value, plain[range(10), targets])
        torch.testing.assert_close(inner, gradients[0][0])
        torch.testing.assert_close(outer, gradients[0][1])


def test_temperature_and_banned_tokens_shape_the_distribution():
    head = torch.nn.Linear(2, 3, bias=False)
    head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    banned = torch.tensor([False, False, True])
    hidden = torch.tensor([[2.0, 0.0]])
    log_probs, entropy = token_log_probs(hidden, torch.tensor([0]), head, 2.0, banned)
    # Logits (2, 0, banned) at temperature 2: 1 against 0.
    likely = torch.tensor([1.0, 0.0]).softmax(0)
    torch.testing.assert_close(log_probs, likely[:1].log())
    torch.testing.assert_close(entropy, -(likely * likely.log()).sum()[None])


def chunks(recompute: bool) -> list[int]:
    """The positions of each pass through the head, for ten of them, four at a time."""
    sizes, head = [], head_of(7, 3)

    def watched(hidden: torch.Tensor) -> torch.Tensor:
        sizes.append(len(hidden))
        return head(hidden)

    hidden, targets = torch.zeros(10, 3, requires_grad=True), torch.zeros(10, dtype=torch.long)
    token_log_probs(hidden, targets, watched, chunk=4, recompute=recompute)[0].sum().backward()
    return sizes


def test_logits_exist_for_one_chunk_at_a_time():
    sizes = chunks(recompute=True)
    assert max(sizes) == 4
    assert sum(sizes) == 20  # once forward, once again in the backward pass


def test_few_logits_are_not_computed_again():
    assert chunks(recompute=False) == [4, 4, 2]


def test_gradients_are_those_of_a_log_softmax():
    head = head_of(9, 4).double()
    targets, excluded = torch.tensor([0, 3, 8, 3, 1]), torch.arange(9) == 5
    hidden = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.linspace(-1, 2, 5)
    found, _ = token_log_probs(hidden, targets, head, 0.7, excluded)
    logits = (head(hidden).float() / 0.7).masked_fill(excluded, -torch.inf)
    expected = logits.log_softmax(-1)[range(5), targets]
    torch.testing.assert_close(found, expected)
    inputs = (hidden, head.weight)
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        check_dtype=False,
        rtol=1e-5,
        atol=1e-6,
    )
