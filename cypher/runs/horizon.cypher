// The run up to which retired facts of a repository were pruned, or were begun to be.
// params: $key
// columns: horizon
MATCH (r:Repository {key: $key})
RETURN coalesce(r.horizon, 0) AS horizon
