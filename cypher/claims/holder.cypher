// Who holds a claim now.
// params: $name
// columns: owner, holder, left (milliseconds until it runs out)
MATCH (c:Claim {name: $name})
WHERE c.owner <> ''
RETURN c.owner AS owner, c.holder AS holder, c.until - timestamp() AS left
