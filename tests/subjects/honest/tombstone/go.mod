module example.test/tombstone

go 1.22
