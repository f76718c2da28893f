// What is stored of these nodes.
// params: $keys
// columns: key, props
UNWIND $keys AS key
MATCH (n:{{node}} {key: key})
RETURN n.key AS key, properties(n) AS props
