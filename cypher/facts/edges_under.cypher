// Hyperedges of a repository, or of one of its runs, by the beginning of their ids, in the order that they were
// written: see facts/retired_before.
// params: $prefix
// columns: id
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix
RETURN h.id AS id
ORDER BY id(h)
