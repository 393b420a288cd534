"""Telling apart what answers."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def policy_name(identity: Mapping[str, Any]) -> str:
    """A short name that no other policy has, which can name a folder."""
    path = str(identity["policy"]).rstrip("/").rpartition("/")[2]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', path) or 'policy'}-{digest[:8]}"
