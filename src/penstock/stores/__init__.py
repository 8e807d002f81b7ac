"""Where files lie: a folder on disk (`local`) or a bucket (`object`), behind the `Store` port.

Importing this package loads no driver; `object` loads obstore.
"""
