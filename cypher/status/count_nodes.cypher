// How many nodes of a kind a repository has.
// params: $prefix
// columns: total
MATCH (n:{{node}})
WHERE n.key STARTS WITH $prefix
RETURN count(n) AS total
