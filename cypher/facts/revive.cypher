// Undo the retirements of a run that never flipped the head.
// params: $ids
// columns: revived
UNWIND $ids AS id
MATCH (h:{{edge}} {id: id})
SET h.to = null, h.ended = null
RETURN count(h) AS revived
