"""The error for what a stranger's checkpoint may not do."""


class Refused(ValueError):
    """A checkpoint that its reader did not sign names something that is not taken from a stranger.

    Args:
        where: The file.
        key: The key in it, dotted.
        what: What is wrong with it, as the rest of the sentence.
        cure: What the user may do, a sentence without its full stop.
    """

    def __init__(self, where: str, key: str, what: str, cure: str = "") -> None:
        text = f"{where}: {key} {what}. No run of yours signed this checkpoint, and a stranger's may not do that"
        super().__init__(f"{text}. {cure}" if cure else text)
