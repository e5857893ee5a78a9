"""Prints what the store holds, for an operator who has the key."""

import store
from sealing import unseal

record = store.record()
print(record.state, record.access or "-", record.refresh or "-")
for row in store.rows("SELECT verifier FROM login"):
    print("login", unseal(row["verifier"]))
