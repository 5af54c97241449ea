"""Starting: the settings and the workflow that a project begins with."""
