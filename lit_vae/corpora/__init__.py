"""Texts that may be more than memory holds: read in parts, divided, tokenized by many processes, kept as mapped arrays.

Nothing here but :mod:`lit_vae.corpora.cache` imports torch: a process that tokenizes starts in a moment.
"""
