//! "Did you mean" for whatever a user types.

/// The names most like `typed`, best first, at most three; none if nothing is close.
///
/// ```
/// use metricopt_host::suggest::similar;
///
/// assert_eq!(similar("acuracy", ["accuracy", "aucpr", "f1"]), ["accuracy"]);
/// assert!(similar("xyz", ["accuracy", "f1"]).is_empty());
/// ```
pub fn similar<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut close: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|&(similarity, _)| similarity > 0.8)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    // Beside a near hit the distant ones are noise.
    let best = close.first().map_or(0.0, |&(similarity, _)| similarity);
    close.retain(|&(similarity, _)| similarity > best - 0.05);
    close.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The hint for a name that does not exist: close names if there are any, else all of them.
pub fn hint<'a>(typed: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let quoted = |names: Vec<&str>| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let close = similar(typed, names.clone());
    if close.is_empty() {
        format!("there are {}", quoted(names.into_iter().collect()))
    } else {
        format!("did you mean {}?", quoted(close))
    }
}
