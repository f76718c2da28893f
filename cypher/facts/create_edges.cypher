// Create hyperedges of one kind, each with its members of one label. A row is the hyperedge's values and, last,
// its members: [place in $keys, role, ...]. The nodes are looked up once a batch; where one is missing nothing is
// created, which the caller sees by the counts.
// params: $keys (keys of nodes, no two alike), $rows, $scope, $run
// columns: joined
UNWIND range(0, size($keys) - 1) AS i
MATCH (n:{{node}} {key: $keys[i]})
WITH i, n ORDER BY i
WITH collect(n) AS ns
WHERE size(ns) = size($keys)
UNWIND $rows AS r
CREATE (h:{{edge}} {{{edge_values}}, scope: $scope, `from`: $run})
WITH h, r, ns
UNWIND {{members}} AS m
WITH h, m, ns[m[0]] AS n
CREATE (n)-[:IN {{{member_values}}}]->(h)
RETURN count(*) AS joined
