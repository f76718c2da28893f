// Say that no run is under way, after what a broken one left was swept.
// params: $key, $run_key
// columns: key
MATCH (r:Repository {key: $key})
SET r.running = null
WITH r
OPTIONAL MATCH (run:Run {key: $run_key})
DETACH DELETE run
RETURN r.key AS key
