// Give hyperedges of this very transaction their members of another label. A row is the hyperedge's id and
// its members: [place in $keys, role, ...].
// params: $keys (keys of nodes, no two alike), $rows
// columns: joined
UNWIND range(0, size($keys) - 1) AS i
MATCH (n:{{node}} {key: $keys[i]})
WITH i, n ORDER BY i
WITH collect(n) AS ns
WHERE size(ns) = size($keys)
UNWIND $rows AS r
MATCH (h:{{edge}} {id: r[0]})
WITH h, r, ns
UNWIND r[1] AS m
WITH h, m, ns[m[0]] AS n
CREATE (n)-[:IN {{{member_values}}}]->(h)
RETURN count(*) AS joined
