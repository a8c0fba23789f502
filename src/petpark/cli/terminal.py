"""What a terminal is shown."""


def printable(text: str) -> str:
    """Write a text so that it is one line and harmless in a terminal: what is not printable comes as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
