"""Reproducing: a scan repeated from its manifest, and held against what it found then."""
