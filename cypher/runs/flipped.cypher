// All runs of a repository that became its head, by number.
// params: $prefix
// columns: number, commit, tree, resolver, family, at, valid
MATCH (r:Run)
WHERE r.key STARTS WITH $prefix AND r.at IS NOT NULL
RETURN r.number AS number, r.commit AS commit, r.tree AS tree, r.resolver AS resolver, r.family AS family, r.at AS at,
  r.valid AS valid
ORDER BY number
