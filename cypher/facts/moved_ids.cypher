// The ids of hyperedges of a repository that are valid at one head and not at another, and how many are valid at
// the other: both in one walk over all of them.
// params: $prefix, $there (the head at which they are valid), $here (the one at which they are not)
// columns: valid (at $here), ids
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix
RETURN sum(CASE WHEN h.from <= $here AND (h.to IS NULL OR h.to > $here) THEN 1 ELSE 0 END) AS valid,
  collect(CASE WHEN h.from <= $there AND (h.to IS NULL OR h.to > $there)
    AND (h.from > $here OR (h.to IS NOT NULL AND h.to <= $here)) THEN h.id END) AS ids
