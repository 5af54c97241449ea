"""Where pictures come from: one file a kind of place, and what they have in common."""
