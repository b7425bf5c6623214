//! What an adapter changes, site by site.

use metricopt_sdk::Result;
use std::path::Path;

use super::tensors::TensorFile;

/// How far an adapter moves one FiLM site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteChange {
    /// The site.
    pub name: String,
    /// Number of channels.
    pub channels: usize,
    /// `|scale - 1|`.
    pub scale: f64,
    /// `|shift|`.
    pub shift: f64,
}

/// Reads `adapter.safetensors`; none if there is none.
///
/// # Errors
///
/// If the file is damaged.
pub fn read_adapter(path: &Path) -> Result<Option<Vec<SiteChange>>> {
    match TensorFile::read(path, "adapter")? {
        Some(file) => Ok(Some(site_changes(&file, "")?)),
        None => Ok(None),
    }
}

/// The sites of an adapter whose tensors have the given beginning, in natural order: files do not keep the order of
/// tensors.
///
/// # Errors
///
/// If the file is damaged.
pub fn site_changes(file: &TensorFile, beginning: &str) -> Result<Vec<SiteChange>> {
    let mut sites = Vec::new();
    for name in file.names()? {
        let site = name.strip_prefix(beginning);
        let Some(site) = site.and_then(|rest| rest.strip_suffix(".scale")) else {
            continue;
        };
        let scale = file.get(&name, 1)?.values;
        let shift = file.get(&format!("{beginning}{site}.shift"), 1)?.values;
        if shift.len() != scale.len() {
            return Err(file.damaged(format!("scale and shift of `{site}` differ in length")));
        }
        sites.push(SiteChange {
            name: site.to_owned(),
            channels: scale.len(),
            scale: norm(scale.iter().map(|factor| factor - 1.0)),
            shift: norm(shift.iter().copied()),
        });
    }
    sites.sort_by_cached_key(|site| natural(&site.name));
    Ok(sites)
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Sorts `hidden2` before `hidden10`: digits count by their value.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = vec![(0_u64, String::new())];
    let mut in_number = false;
    for character in name.chars() {
        match (character.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((number, _))) if in_number => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (Some(digit), _) => {
                parts.push((digit.into(), String::new()));
                in_number = true;
            }
            (None, Some((_, text))) => {
                text.push(character);
                in_number = false;
            }
            (None, None) => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_in_names_count_by_value() {
        let mut names = [
            "hidden10",
            "block2.bn1",
            "hidden2",
            "block10.bn1",
            "block2.bn12",
        ];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(
            names,
            [
                "block2.bn1",
                "block2.bn12",
                "block10.bn1",
                "hidden2",
                "hidden10"
            ]
        );
    }
}
