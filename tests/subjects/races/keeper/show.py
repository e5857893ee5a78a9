"""Prints what the store holds, for an operator who has the key. It is run often, so it loads little."""

import os
import sqlite3

from sealing import unseal

db = sqlite3.connect(f"file:{os.environ['STATE_DIR']}/keeper.sqlite3?mode=ro", timeout=5, uri=True)
state, *pair = db.execute("SELECT state, access, refresh FROM connection").fetchone()
try:
    print(state, *(unseal(sealed) or "-" for sealed in pair))
except ValueError:
    print("misconfigured - -")
for (verifier,) in db.execute("SELECT verifier FROM login"):
    print("login", unseal(verifier))
