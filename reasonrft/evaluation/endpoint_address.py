"""The address of an endpoint, which is shown and stored, and so holds no secret."""

from urllib.parse import parse_qsl, urlsplit

from reasonrft.errors import BadInput

_PATH = "/chat/completions"
_VERSION = "api-version"


def split_address(url: str | None, key_variable: str) -> tuple[str, dict[str, str]]:
    """The base of an endpoint's addresses and its query; `BadInput` never shows a password."""
    if not url:
        raise BadInput("which endpoint? Give its address: --endpoint https://api.openai.com/v1")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a port that is no number, or half an IPv6 address
        host = None
    if "@" in url:
        raise BadInput(
            "the endpoint's address holds a user name or password (before the @): give the "
            f"address alone, and the key in the environment variable {key_variable}"
        )
    if host is None or parts.scheme not in ("http", "https"):
        shown = url.partition("?")[0]
        raise BadInput(f"endpoint {shown!r} is not an address like https://api.openai.com/v1")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.keys() - {_VERSION}:
        raise BadInput(
            f"of a query in the endpoint's address (after the ?) only {_VERSION} is taken; "
            f"a key belongs in the environment variable {key_variable}"
        )
    path = parts.path.rstrip("/").removesuffix(_PATH) or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}", query
