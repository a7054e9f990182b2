"""What a user without a key is told, where it matters."""

from __future__ import annotations

from lit_vae.trust.admission import admitted_config
from lit_vae.trust.given import GIVEN, NOTHING
from lit_vae.trust.key import NoKey, key
from lit_vae.trust.refused import Refused


def warning(config: str) -> str:
    """A line on a run that cannot be signed and could be read only by a signature; empty for any other.

    Args:
        config: Its config, YAML.
    """
    try:
        key()
    except NoKey as error:
        token = GIVEN.set(NOTHING)
        try:
            admitted_config({"config": config}, "config.yaml")
        except Refused as refused:
            return f"the run is not signed, and its checkpoints will be read as a stranger's: {error}. {refused}"
        finally:
            GIVEN.reset(token)
    return ""
