//! Where a new crate takes the SDK from.

use metricopt_sdk::{Error, Result};
use std::path::{Path, PathBuf};

/// Where a new crate takes the SDK from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdkSource {
    /// A folder with the package `metricopt-sdk`.
    Path(PathBuf),
    /// A git repository that holds it.
    Git {
        /// Where it is.
        url: String,
        /// The commit; its newest one without.
        rev: Option<String>,
    },
}

impl SdkSource {
    /// What a person named: a URL, or a folder with the SDK or with a checkout of metricopt.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn given(text: &str) -> Result<Self> {
        if text.contains("://") || text.starts_with("git@") {
            return Ok(Self::Git {
                url: text.to_owned(),
                rev: None,
            });
        }
        let folder = Path::new(text);
        let found = [folder.to_owned(), folder.join("sdk")]
            .into_iter()
            .find(|folder| is_sdk(folder));
        let found = found.ok_or_else(|| {
            Error::configuration(format!("`{text}` does not hold the package `metricopt-sdk`")).hint(
                "give the folder `sdk` of a checkout of metricopt, or the URL of a git repository, as in \
                 `https://example.org/metricopt.git`",
            )
        })?;
        let absolute = found.canonicalize().map_err(|error| {
            Error::failed(format!("cannot resolve `{}`: {error}", found.display()))
        })?;
        Ok(Self::Path(absolute))
    }

    /// The SDK that this host was built with.
    ///
    /// # Errors
    ///
    /// If it can no longer be had.
    pub fn of_this_host() -> Result<Self> {
        Self::of_host(
            Path::new(env!("CARGO_MANIFEST_DIR")),
            env!("CARGO_PKG_REPOSITORY"),
        )
    }

    /// The SDK of a host that was built in the folder `host` and whose package names `repository`.
    fn of_host(host: &Path, repository: &str) -> Result<Self> {
        // What Cargo checks out for itself is not there to stay, but its path tells the commit:
        // `~/.cargo/git/checkouts/metricopt-0123456789abcdef/89abcde/host`.
        let parts: Vec<&str> = host.iter().filter_map(|part| part.to_str()).collect();
        let checkout = parts
            .windows(4)
            .find(|parts| parts[..2] == ["git", "checkouts"]);
        if let Some(&[_, _, _, rev]) = checkout {
            if !repository.is_empty() {
                return Ok(Self::Git {
                    url: repository.to_owned(),
                    rev: Some(rev.to_owned()),
                });
            }
        } else if let Some(sdk) = host.parent().map(|parent| parent.join("sdk"))
            && is_sdk(&sdk)
        {
            return Ok(Self::Path(sdk));
        }
        Err(Error::configuration(
            "the SDK that this host was built with is no longer on this machine",
        )
        .hint("say where to take it from: `--sdk FOLDER`, the folder `sdk` of a checkout, or `--sdk URL` of a git repository"))
    }

    /// What stands in the braces of the dependency.
    ///
    /// # Errors
    ///
    /// If the path is not UTF-8, which a manifest must be.
    pub(super) fn to_toml(&self) -> Result<String> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        Ok(match self {
            Self::Path(path) => {
                let text = path.to_str().ok_or_else(|| {
                    Error::configuration(format!(
                        "the path `{}` is not UTF-8, so a manifest cannot name it",
                        path.display()
                    ))
                    .hint("rename the folder, or give another one with `--sdk`")
                })?;
                format!("path = {}", quoted(text))
            }
            Self::Git { url, rev: None } => format!("git = {}", quoted(url)),
            Self::Git {
                url,
                rev: Some(rev),
            } => format!("git = {}, rev = {}", quoted(url), quoted(rev)),
        })
    }
}

/// Whether a folder holds the package.
fn is_sdk(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let manifest: Option<toml::Table> = manifest.parse().ok();
    let name = manifest
        .as_ref()
        .and_then(|table| table.get("package")?.get("name")?.as_str());
    name == Some("metricopt-sdk")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.org/metricopt.git";

    /// A checkout in a folder of its own, with `host` and `sdk`.
    fn checkout(within: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let checkout = folder.path().join(within);
        std::fs::create_dir_all(checkout.join("host")).unwrap();
        std::fs::create_dir_all(checkout.join("sdk")).unwrap();
        let manifest = "[package]\nname = \"metricopt-sdk\"\n";
        std::fs::write(checkout.join("sdk/Cargo.toml"), manifest).unwrap();
        (folder, checkout)
    }

    #[test]
    fn a_checkout_that_is_there_gives_a_path() {
        let (_folder, checkout) = checkout("work");
        for repository in ["", URL] {
            assert_eq!(
                SdkSource::of_host(&checkout.join("host"), repository).unwrap(),
                SdkSource::Path(checkout.join("sdk"))
            );
        }
    }

    #[test]
    fn a_checkout_of_cargo_gives_its_commit() {
        let (_folder, checkout) = checkout("git/checkouts/metricopt-0123/89abcde");
        assert_eq!(
            SdkSource::of_host(&checkout.join("host"), URL).unwrap(),
            SdkSource::Git {
                url: URL.to_owned(),
                rev: Some("89abcde".to_owned())
            }
        );
        let error = SdkSource::of_host(&checkout.join("host"), "").unwrap_err();
        assert!(error.hints()[0].contains("--sdk"));
    }

    #[test]
    fn a_checkout_that_is_gone_gives_an_error() {
        let gone = Path::new("/no/such/checkout/host");
        for repository in ["", URL] {
            let error = SdkSource::of_host(gone, repository).unwrap_err();
            assert!(error.hints()[0].contains("--sdk"));
        }
    }

    #[test]
    fn a_person_names_a_folder_or_a_url() {
        let (_folder, checkout) = checkout("work");
        let sdk = SdkSource::Path(checkout.join("sdk").canonicalize().unwrap());
        for folder in [checkout.join("sdk"), checkout.clone()] {
            assert_eq!(SdkSource::given(folder.to_str().unwrap()).unwrap(), sdk);
        }
        for url in [
            URL,
            "ssh://git@example.org/metricopt",
            "git@example.org:metricopt",
        ] {
            let rev = None;
            let expected = SdkSource::Git {
                url: url.to_owned(),
                rev,
            };
            assert_eq!(SdkSource::given(url).unwrap(), expected);
        }
        assert!(SdkSource::given(checkout.join("host").to_str().unwrap()).is_err());
        assert!(SdkSource::given("/no/such/folder").is_err());
    }

    #[test]
    fn sources_as_toml() {
        let path = SdkSource::Path("/a \"b\"/sdk".into()).to_toml().unwrap();
        let table: toml::Table = path.parse().unwrap();
        assert_eq!(table["path"].as_str(), Some("/a \"b\"/sdk"));
        let rev = Some("89abcde".to_owned());
        let git = SdkSource::Git {
            url: URL.to_owned(),
            rev,
        };
        assert_eq!(
            git.to_toml().unwrap(),
            format!("git = \"{URL}\", rev = \"89abcde\"")
        );
    }
}
