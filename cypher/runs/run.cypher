// One run by its key.
// params: $key
// columns: number, commit, tree, resolver, family, at, valid
MATCH (r:Run {key: $key})
RETURN r.number AS number, r.commit AS commit, r.tree AS tree, r.resolver AS resolver, r.family AS family, r.at AS at,
  r.valid AS valid
