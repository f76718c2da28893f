// Hyperedges of a repository whose validity a run has ended.
// params: $prefix, $run
// columns: id
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.to = $run
RETURN h.id AS id
