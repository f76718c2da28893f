// What was done to the store's schema, in order.
// params: none
// columns: number, name, digest, done, kinds
MATCH (m:Migration)
RETURN m.number AS number, m.name AS name, m.digest AS digest, m.done AS done, m.kinds AS kinds
ORDER BY number
