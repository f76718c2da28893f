// Put back where a repository stood, once all its facts are there: only now does anybody see them.
// params: $key, $head, $heads, $commit, $horizon
// columns: head
MATCH (r:Repository {key: $key})
WHERE r.head = 0
SET r.head = $head, r.heads = $heads, r.commit = $commit, r.horizon = $horizon, r.running = null
RETURN r.head AS head
