// The embedded server makes a type of relationship when one is first written, and two writers may not do so
// at once: so it is made here.
MERGE (a:Claim {name: 'one'}) MERGE (b:Claim {name: 'other'}) CREATE (a)-[:IN {role: 'member'}]->(b);
MATCH (c:Claim) WHERE c.name IN ['one', 'other'] DETACH DELETE c;
