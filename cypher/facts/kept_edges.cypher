// Hyperedges of a repository that were written up to a head, retired ones with, each with its members.
// params: $prefix, $head
// columns: born, ended, edge, members (each [role, label, key, place, line, end, mark, digest])
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix AND h.from <= $head
MATCH (h)<-[i:IN]-(n)
WITH h, collect([i.role, labels(n)[0], n.key, i.place, i.line, i.end, i.mark, i.digest]) AS members
RETURN h.from AS born, CASE WHEN h.to <= $head THEN h.to END AS ended, [{{edge_columns}}] AS edge, members
