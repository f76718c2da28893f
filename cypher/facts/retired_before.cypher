// Hyperedges of a repository that were retired at a run or before it, in the order that they were written: the
// embedded server finds a relationship among those of a hub from its oldest on, so that deleting them in any
// other order takes time in the square of their number.
// params: $prefix, $horizon
// columns: id
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.to <= $horizon
RETURN h.id AS id
ORDER BY id(h)
