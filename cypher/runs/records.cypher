// Everything that is noted of the runs of a repository up to a head, by number.
// params: $prefix, $head
// columns: number, commit, tree, resolver, family, received, at, valid
MATCH (r:Run)
WHERE r.key STARTS WITH $prefix AND r.at IS NOT NULL AND r.number <= $head
RETURN r.number AS number, r.commit AS commit, r.tree AS tree, r.resolver AS resolver, r.family AS family,
  r.received AS received, r.at AS at, r.valid AS valid
ORDER BY number
