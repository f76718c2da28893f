// End the validity of hyperedges at a run, and say so where what a run ended is found: in a property of their own,
// no two of them alike (the embedded server takes time in the square of how many share a value of an index).
// params: $ids, $run, $ending (the beginning of the ids of what that run writes)
// columns: retired
UNWIND $ids AS id
MATCH (h:{{edge}} {id: id})
WHERE h.to IS NULL
SET h.to = $run, h.ended = $ending + h.digest
RETURN count(h) AS retired
