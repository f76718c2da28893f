// Hyperedges of a repository that were valid at a head and that a run has ended, each with its members.
// params: $prefix (the beginning of the ids of what that run wrote), $there
// columns: born, edge, members (each [role, label, key, place, line, end, mark, digest])
MATCH (h:{{edge}})
WHERE h.ended STARTS WITH $prefix AND h.from <= $there
RETURN h.from AS born, [{{edge_columns}}] AS edge,
  [(h)<-[i:IN]-(n) | [i.role, labels(n)[0], n.key, i.place, i.line, i.end, i.mark, i.digest]] AS members
