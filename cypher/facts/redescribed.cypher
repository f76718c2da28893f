// Nodes of a repository that were described otherwise at an earlier head.
// params: $prefix
// columns: key, props
MATCH (n:{{node}})
WHERE n.key STARTS WITH $prefix AND n.was IS NOT NULL
RETURN n.key AS key, properties(n) AS props
