// All repositories, by key.
// params: none
// columns: key, head, heads, running, commit
MATCH (r:Repository)
RETURN r.key AS key, r.head AS head, r.heads AS heads, r.running AS running, r.commit AS commit
ORDER BY key
