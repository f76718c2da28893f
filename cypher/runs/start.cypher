// Begin a run: from here on the repository says which run is under way.
// params: $key, $name, $run_key, $number, $commit, $tree, $family, $resolver
// columns: number
MERGE (r:Repository {key: $key})
  ON CREATE SET r.name = $name, r.head = 0, r.heads = []
SET r.running = $number
MERGE (run:Run {key: $run_key})
SET run.number = $number, run.commit = $commit, run.tree = $tree, run.family = $family,
    run.resolver = $resolver, run.received = timestamp(), run.at = null
RETURN run.number AS number
