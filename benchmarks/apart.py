"""The other side of `harness.apart`: calls one function in a process of its own."""

import importlib
import json
import sys
from pathlib import Path


def main(name: str, answer: str) -> None:
    """Call `module:function` with the arguments that come on the standard input, and write what it returns."""
    module, _, function = name.partition(":")
    args, kwargs = json.load(sys.stdin)
    value = getattr(importlib.import_module(module), function)(*args, **kwargs)
    Path(answer).write_text(json.dumps(value))


if __name__ == "__main__":
    main(*sys.argv[1:])
