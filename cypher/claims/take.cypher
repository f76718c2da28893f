// Take a claim (one writer of a repository, one migration at a time) if it is free, ours, run out, or
// held by somebody who is known to be dead. The first SET locks the claim before it is looked at.
// params: $name, $owner, $holder (who it is, for people), $dead (an owner known to be dead, or empty),
// $lease (milliseconds)
// columns: won, owner, holder, ticket
MERGE (c:Claim {name: $name})
  ON CREATE SET c.owner = '', c.holder = '', c.until = 0, c.ticket = 0, c.touched = 0
SET c.touched = c.touched + 1
WITH c, (c.owner = '' OR c.owner = $owner OR c.owner = $dead OR c.until < timestamp()) AS free
SET c.holder = CASE WHEN free THEN $holder ELSE c.holder END,
    c.until = CASE WHEN free THEN timestamp() + $lease ELSE c.until END,
    c.ticket = CASE WHEN free THEN c.ticket + 1 ELSE c.ticket END,
    c.owner = CASE WHEN free THEN $owner ELSE c.owner END
RETURN free AS won, c.owner AS owner, c.holder AS holder, c.ticket AS ticket
