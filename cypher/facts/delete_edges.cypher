// Delete hyperedges and their memberships.
// params: $ids
// columns: gone
UNWIND $ids AS id
MATCH (h:{{edge}} {id: id})
DETACH DELETE h
RETURN count(*) AS gone
