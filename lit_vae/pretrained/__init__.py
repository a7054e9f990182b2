"""Language models of a Hugging Face folder as encoder and decoder: ``pip install 'lit_vae[hf]'``."""

from lit_vae.pretrained.backbone import HuggingFaceVAE
from lit_vae.pretrained.head import HuggingFaceTokenHead

__all__ = ["HuggingFaceTokenHead", "HuggingFaceVAE"]
