//! SQLite files, read as databases from a consistent copy.
