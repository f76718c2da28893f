// All that is noted of where a repository stands.
// params: $key
// columns: head, heads, commit, horizon
MATCH (r:Repository {key: $key})
RETURN r.head AS head, r.heads AS heads, r.commit AS commit, coalesce(r.horizon, 0) AS horizon
