"""Doctoring: what is installed, what runs here, and whether known answers come out."""
