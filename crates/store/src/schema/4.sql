-- What things were called, by their ids, each of which is given once: a call may end after its queue has left the
-- configuration, and its record still has the name.
CREATE TABLE names (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
