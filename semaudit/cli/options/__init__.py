"""The options of a scan, a file a panel of its help; other commands share them."""
