// Flip the head to a run that has written everything: the one moment at which it becomes visible.
// params: $key, $run_key, $number, $commit, $heads, $valid (of each kind `kind=count`)
// columns: head
MATCH (r:Repository {key: $key})
WHERE r.running = $number AND r.head = $number - 1
MATCH (run:Run {key: $run_key})
SET run.at = timestamp(), run.valid = $valid, r.head = $number, r.heads = $heads, r.commit = $commit, r.running = null
RETURN r.head AS head
