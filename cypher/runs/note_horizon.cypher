// Note that facts retired at a run or before it are about to be pruned: nobody asks about earlier heads from here on.
// params: $key, $horizon
// columns: horizon
MATCH (r:Repository {key: $key})
SET r.horizon = CASE WHEN coalesce(r.horizon, 0) < $horizon THEN $horizon ELSE r.horizon END
RETURN r.horizon AS horizon
