// Where a repository stands: its head, the head of each family (`family=number`), and the run under way.
// params: $key
// columns: head, heads, running
MATCH (r:Repository {key: $key})
RETURN r.head AS head, r.heads AS heads, r.running AS running
