// Put back a run as it was.
// params: $key, $number, $commit, $tree, $family, $resolver, $received, $at, $valid
// columns: number
MERGE (run:Run {key: $key})
SET run.number = $number, run.commit = $commit, run.tree = $tree, run.family = $family,
    run.resolver = $resolver, run.received = $received, run.at = $at, run.valid = $valid
RETURN run.number AS number
