-- The story of a call, piece by piece: JSON, made by this program and read by it.
ALTER TABLE calls ADD COLUMN segments TEXT;
-- The call that it went on in.
ALTER TABLE calls ADD COLUMN into_call TEXT;
-- A call over no trunk, from one agent to another, has none: `trunk` is empty then.
