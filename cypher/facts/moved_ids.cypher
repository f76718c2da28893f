// The ids of hyperedges of a repository that are valid at one head and not at another.
// params: $prefix, $there (the head at which they are valid), $here (the one at which they are not)
// columns: id
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.from <= $there AND (h.to IS NULL OR h.to > $there)
  AND (h.from > $here OR (h.to IS NOT NULL AND h.to <= $here))
RETURN h.id AS id
