// Hyperedges of a repository that are valid at a head, each with its members. The embedded server walks a
// pattern from its left end: begun at the nodes this would take three times as long.
// params: $prefix, $head
// columns: born, edge, members (each [role, label, key, place, line, end, mark, digest])
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.from <= $head AND (h.to IS NULL OR h.to > $head)
MATCH (h)<-[i:IN]-(n)
WITH h, collect([i.role, labels(n)[0], n.key, i.place, i.line, i.end, i.mark, i.digest]) AS members
RETURN h.from AS born, [{{edge_columns}}] AS edge, members
