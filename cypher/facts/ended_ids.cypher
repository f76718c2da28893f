// The ids of hyperedges of a repository that were valid at a head and that a run has ended.
// params: $prefix (the beginning of the ids of what that run wrote), $there
// columns: id
MATCH (h:{{edge}})
WHERE h.ended STARTS WITH $prefix AND h.from <= $there
RETURN h.id AS id
