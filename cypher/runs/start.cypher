// Begin a run: from here on the repository says which run is under way. That it has `valid` says that what it ends
// is noted where an index finds it; how much is valid is said when the head is flipped to it.
// params: $key, $name, $run_key, $number, $commit, $tree, $family, $resolver
// columns: number
MERGE (r:Repository {key: $key})
  ON CREATE SET r.name = $name, r.head = 0, r.heads = []
SET r.running = $number
MERGE (run:Run {key: $run_key})
SET run.number = $number, run.commit = $commit, run.tree = $tree, run.family = $family,
    run.resolver = $resolver, run.received = timestamp(), run.at = null, run.valid = []
RETURN run.number AS number
