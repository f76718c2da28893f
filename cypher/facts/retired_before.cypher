// Hyperedges of a repository that were retired at a run or before it.
// params: $prefix, $horizon
// columns: id
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.to <= $horizon
RETURN h.id AS id
