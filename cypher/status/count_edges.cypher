// How many hyperedges of a kind a repository has: in all, and valid at a head.
// params: $prefix, $head
// columns: total, valid
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix
RETURN count(h) AS total,
  sum(CASE WHEN h.from <= $head AND (h.to IS NULL OR h.to > $head) THEN 1 ELSE 0 END) AS valid
