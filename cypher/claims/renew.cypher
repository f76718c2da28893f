// Renew a claim within a writing transaction: no row means that it is ours no longer, and nothing may be written.
// params: $name, $owner, $ticket, $lease (milliseconds)
// columns: ticket
MATCH (c:Claim {name: $name})
WHERE c.owner = $owner AND c.ticket = $ticket
SET c.until = timestamp() + $lease
RETURN c.ticket AS ticket
