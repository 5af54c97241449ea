"""What model files hold, found out without running anything from them.

`contents.read` is the way in; `sniff.sniff` says which kind a file is.
"""
