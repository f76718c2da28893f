// Create nodes that are not there yet; a row is the key and the kind's properties in the schema's order.
// params: $rows
// columns: made
UNWIND $rows AS r
CREATE (n:{{node}} {key: r[0], {{node_values}}})
RETURN count(n) AS made
