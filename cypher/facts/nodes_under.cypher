// Nodes of a repository, by the beginning of their keys.
// params: $prefix
// columns: key
MATCH (n:{{node}})
WHERE n.key STARTS WITH $prefix
RETURN n.key AS key
