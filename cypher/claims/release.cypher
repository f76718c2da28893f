// Give a claim back, if it is still ours.
// params: $name, $owner, $ticket
// columns: released
MATCH (c:Claim {name: $name})
WHERE c.owner = $owner AND c.ticket = $ticket
SET c.owner = '', c.until = 0
RETURN count(c) AS released
