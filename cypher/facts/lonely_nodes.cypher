// Nodes of a repository that stand in no hyperedge any more.
// params: $prefix
// columns: key
MATCH (n:{{node}})
WHERE n.key STARTS WITH $prefix AND NOT EXISTS { (n)-[:IN]->() }
RETURN n.key AS key
