"""Prints the connections for an operator who has the key."""

import books

for name in books.NAMES:
    record = books.record(name)
    print(name, record.state, record.access or "-", record.refresh or "-")
for row in books.rows("SELECT * FROM note"):
    print(row["name"], row["value"])
