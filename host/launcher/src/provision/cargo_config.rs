//! The file `.libtorch/cargo.toml`, which `.cargo/config.toml` includes.
//!
//! With it, plain `cargo build`, `cargo test` and editors find libtorch without any variable in the shell.

use std::path::Path;

use super::libtorch_link;
use crate::error::{Error, Result};

/// Carries the same value as the `LIBTORCH` of the generated file. Whoever sees both differ knows that the person set
/// `LIBTORCH`, since Cargo does not overrule a variable that is set already.
pub(crate) const CONFIGURED_LIBTORCH_VARIABLE: &str = "METRICOPT_CONFIGURED_LIBTORCH";

/// The run path leads over the link `.libtorch/torch`: it stays the same whichever libtorch is in use, so that switching
/// builds again only what was compiled against it. `LIBTORCH` is the real directory: the build script of `torch-sys` has to
/// notice the switch, because what it links depends on what the directory holds.
pub(crate) fn text(directory: &Path, libtorch: &Path) -> Result<String> {
    let libtorch = toml_string(utf8(libtorch)?);
    let flags = link_flags(directory)?;
    let flags = flags
        .iter()
        .map(|flag| toml_string(flag))
        .collect::<Vec<_>>()
        .join(", ");
    Ok(format!(
        "\
# Written by the launcher (`cargo setup`), do not edit.

[env]
LIBTORCH = {libtorch}
{CONFIGURED_LIBTORCH_VARIABLE} = {libtorch}

# Not `[build]`, which Cargo ignores wherever a person's own configuration has flags for a target.
[target.'cfg(unix)']
rustflags = [{flags}]

# For the programs that doc tests are.
[build]
rustdocflags = [{flags}]
"
    ))
}

/// The compiler flags by which a program finds libtorch when it starts.
pub(crate) fn link_flags(directory: &Path) -> Result<Vec<String>> {
    let libraries = libtorch_link(directory).join("lib");
    let libraries = utf8(&libraries)?;
    // The linker splits its argument at commas and the loader the run path at colons, and `$` starts a loader's variable.
    if let Some(separator) = libraries
        .chars()
        .find(|character| [',', ':', '$'].contains(character))
    {
        return Err(Error::new(
            format!(
                "the path `{libraries}` holds the character `{separator}`, which a run path cannot"
            ),
            "move the checkout to a directory without this character",
        ));
    }
    // The old kind of run path goes before `LD_LIBRARY_PATH`, which on many machines leads to another libtorch.
    let kind = if cfg!(target_os = "macos") {
        ""
    } else {
        "--disable-new-dtags,"
    };
    Ok(vec![
        "-C".to_owned(),
        format!("link-arg=-Wl,{kind}-rpath,{libraries}"),
    ])
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::new(
            format!(
                "the path `{}` is not UTF-8, so Cargo's configuration cannot name it",
                path.display()
            ),
            "rename the directory",
        )
    })
}

fn toml_string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => string.extend(['\\', character]),
            _ if character.is_control() => {
                string.push_str(&format!("\\u{:04X}", u32::from(character)))
            }
            _ => string.push(character),
        }
    }
    string + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_libtorch_hold_the_real_directory_and_the_run_path_the_link() {
        let text = text(Path::new("/a b/.libtorch"), Path::new("/opt/torch")).unwrap();
        assert!(text.contains(
            "\nLIBTORCH = \"/opt/torch\"\nMETRICOPT_CONFIGURED_LIBTORCH = \"/opt/torch\"\n"
        ));
        assert_eq!(
            text.matches("-rpath,/a b/.libtorch/torch/lib\"]\n").count(),
            2
        );
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(toml_string("/a \"b\"\\c\u{7}"), r#""/a \"b\"\\c\u0007""#);
    }

    #[test]
    fn a_path_that_no_run_path_can_hold_is_refused() {
        for path in ["/a,b", "/a:b", "/$a"] {
            assert!(link_flags(Path::new(path)).is_err(), "{path}");
        }
    }
}
