"""The report document and its renderings, one file each."""
