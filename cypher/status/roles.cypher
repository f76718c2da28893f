// Which roles are filled in a repository's hyperedges of a kind, and in how many of them.
// params: $prefix
// columns: roles, total
MATCH (h:{{edge}})
WHERE h.id STARTS WITH $prefix
OPTIONAL MATCH (h)<-[i:IN]-(n)
WITH h, collect(DISTINCT i.role) AS roles
RETURN roles, count(*) AS total
