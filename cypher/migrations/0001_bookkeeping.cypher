// What the store notes for itself: migrations done, and claims to be the only writer.
CREATE CONSTRAINT IF NOT EXISTS FOR (m:Migration) REQUIRE m.number IS UNIQUE;
CREATE CONSTRAINT IF NOT EXISTS FOR (c:Claim) REQUIRE c.name IS UNIQUE;
