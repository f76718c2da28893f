// Delete nodes and whatever memberships they have.
// params: $keys
// columns: gone
UNWIND $keys AS key
MATCH (n:{{node}} {key: key})
DETACH DELETE n
RETURN count(*) AS gone
