// Note a migration as begun or done.
// params: $number, $name, $digest, $done, $kinds
// columns: number
MERGE (m:Migration {number: $number})
SET m.name = $name, m.digest = $digest, m.done = $done, m.kinds = $kinds, m.at = timestamp()
RETURN m.number AS number
