"""The database: the link with Pleo, logins under way, the staff, settings."""

import contextlib
import os
import pathlib
import sqlite3
import time

FILE = pathlib.Path(os.environ["DATA_DIR"]) / "staff.sqlite"
LOGIN_LIFE = 900


def prepare():
    FILE.touch(mode=0o600)
    with opened() as db:
        db.executescript("""
            create table if not exists link (only integer primary key check (only = 1), state text not null, access text, refresh text,
                                             serial integer not null);
            insert or ignore into link values (1, 'never', null, null, 0);
            create table if not exists login (state text primary key, verifier text, back text, begun real);
            create table if not exists person (id text primary key, name text, email text);
            create table if not exists setting (name text primary key, value text);
            insert or ignore into setting values ('sort_by', 'name');
        """)


@contextlib.contextmanager
def opened():
    db = sqlite3.connect(FILE, timeout=10)
    db.row_factory = sqlite3.Row
    db.execute("pragma secure_delete = on")
    try:
        with db:
            yield db
    finally:
        db.close()


def link():
    with opened() as db:
        return dict(db.execute("select * from link").fetchone())


def change_link(serial, state, access=None, refresh=None):
    """Whether it was changed: not if somebody else has done so since `serial` was read."""
    with opened() as db:
        done = db.execute(
            "update link set state = ?, access = ?, refresh = ?, serial = serial + 1 where serial = ?", (state, access, refresh, serial)
        )
        return done.rowcount == 1


def begin_login(state, verifier, back):
    with opened() as db:
        db.execute("delete from login where begun < ?", (time.time() - LOGIN_LIFE,))
        db.execute("insert into login values (?, ?, ?, ?)", (state, verifier, back, time.time()))


def end_login(state):
    """The login that began with this state, once."""
    with opened() as db:
        row = db.execute("delete from login where state = ? and begun > ? returning *", (state, time.time() - LOGIN_LIFE)).fetchone()
        return dict(row) if row else None


def staff():
    order = "email" if settings()["sort_by"] == "email" else "name"
    with opened() as db:
        return [dict(row) for row in db.execute(f"select * from person order by {order}, id")]


def replace_staff(people):
    with opened() as db:
        db.execute("delete from person")
        db.executemany("insert or replace into person values (:id, :name, :email)", people)


def settings():
    with opened() as db:
        return dict(db.execute("select name, value from setting").fetchall())


def save_setting(name, value):
    with opened() as db:
        db.execute("insert or replace into setting values (?, ?)", (name, value))
