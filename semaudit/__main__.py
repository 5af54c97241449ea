"""``python -m semaudit``."""

from semaudit.cli import main

main()
