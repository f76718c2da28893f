// Say anew what describes nodes that are there; a row is the key and a map of properties.
// params: $rows
// columns: changed
UNWIND $rows AS r
MATCH (n:{{node}} {key: r[0]})
SET n += r[1]
RETURN count(n) AS changed
