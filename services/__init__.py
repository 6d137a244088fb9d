"""Libraries and processes of Kamkap; a package with `__main__.py` is a deployed process."""
