// End the validity of hyperedges at a run.
// params: $ids, $run
// columns: retired
UNWIND $ids AS id
MATCH (h:{{edge}} {id: id})
WHERE h.to IS NULL
SET h.to = $run
RETURN count(h) AS retired
