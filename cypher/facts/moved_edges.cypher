// Hyperedges of a repository that are valid at one head and not at another, each with its members. Members are
// taken by comprehension: where a second pattern follows, the embedded server walks all hyperedges for the prefix.
// params: $prefix, $there (the head at which they are valid), $here (the one at which they are not)
// columns: born, edge, members (each [role, label, key, place, line, end, mark, digest])
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.from <= $there AND (h.to IS NULL OR h.to > $there)
  AND (h.from > $here OR (h.to IS NOT NULL AND h.to <= $here))
RETURN h.from AS born, [{{edge_columns}}] AS edge,
  [(h)<-[i:IN]-(n) | [i.role, labels(n)[0], n.key, i.place, i.line, i.end, i.mark, i.digest]] AS members
