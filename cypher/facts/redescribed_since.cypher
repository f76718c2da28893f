// Nodes of a repository that runs described otherwise than before.
// params: $first, $last (`told` of the nodes stands between them)
// columns: key, props
MATCH (n:{{node}})
WHERE n.told >= $first AND n.told < $last
RETURN n.key AS key, properties(n) AS props
