"""Baselines: an audit that later ones are held against, picture by picture, and its small file."""

from semaudit.baselines.judged import judged
from semaudit.baselines.opening import open_baseline, refuse_unheld
from semaudit.baselines.pairing import Pairing, pair

__all__ = ["Pairing", "judged", "open_baseline", "pair", "refuse_unheld"]
