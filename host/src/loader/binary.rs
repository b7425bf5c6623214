//! Looking at a library file before any of its code runs.
//!
//! Opening a library runs its initialisers, and a cut-off one can take the process down: so everything that can be
//! known from the bytes is checked first.

use metricopt_sdk::abi::{SYMBOL, VERSION};
use metricopt_sdk::{Error, Result};
use object::{
    Architecture, BinaryFormat, Object, ObjectKind, ObjectSegment, ObjectSymbol, ReadCache,
};
use std::env::consts::{ARCH, OS};
use std::fs::File;
use std::io::Read;
use std::path::Path;

const BUILD_HINT: &str = "build a plugin with `crate-type = [\"rlib\", \"cdylib\"]` in its Cargo.toml, or `cc -shared`, and give the file in `target/release`";

/// Checks that a file is a whole library for this machine that exports the handshake of this ABI.
///
/// # Errors
///
/// Says what it is instead.
pub fn check(path: &Path) -> Result<()> {
    let file = File::open(path)
        .map_err(|error| Error::configuration(format!("cannot be read: {error}")))?;
    let length = file
        .metadata()
        .map_err(|error| Error::configuration(format!("cannot be read: {error}")))?
        .len();
    let cache = ReadCache::new(file);
    let Ok(library) = object::File::parse(&cache) else {
        return Err(not_a_library(path));
    };
    check_target(&library)?;
    if library.kind() != ObjectKind::Dynamic {
        return Err(
            Error::configuration("is a program or an object file, not a library").hint(BUILD_HINT),
        );
    }
    check_whole(&library, length)?;
    check_symbol(&library)
}

fn not_a_library(path: &Path) -> Error {
    let mut start = Vec::new();
    // What cannot be read is not a library either.
    let _ = File::open(path).and_then(|file| file.take(8).read_to_end(&mut start));
    let what = match start.as_slice() {
        [] => "is empty",
        b"!<arch>\n" => "is a static library (an archive)",
        [0x7F, b'E', b'L', b'F', ..] | [0xCF, 0xFA, 0xED, 0xFE, ..] => return cut_off(),
        _ => "is not a library",
    };
    Error::configuration(what).hint(BUILD_HINT)
}

fn check_target<'a>(library: &object::File<'a, impl object::ReadRef<'a>>) -> Result<()> {
    let format = match OS {
        "macos" => BinaryFormat::MachO,
        "windows" => BinaryFormat::Coff,
        _ => BinaryFormat::Elf,
    };
    let architecture = match ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        // Others are left to the loader of the system.
        _ => None,
    };
    let fits = library.format() == format
        && architecture.is_none_or(|architecture| library.architecture() == architecture);
    if fits {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "is a library for another machine: {:?}, {:?}",
        library.format(),
        library.architecture()
    ))
    .hint(format!("build the plugin on, or for, `{ARCH}-{OS}`")))
}

fn cut_off() -> Error {
    Error::configuration("is cut off or damaged: its header promises more than the file holds")
        .hint("copy or build it again")
}

/// The loader of the system maps what the header promises; where the file ends before, the process dies.
fn check_whole<'a>(
    library: &object::File<'a, impl object::ReadRef<'a>>,
    length: u64,
) -> Result<()> {
    let mut segments = 0;
    for segment in library.segments() {
        let (offset, size) = segment.file_range();
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(cut_off());
        }
        segments += 1;
    }
    // What cannot be read from here the system's loader would read all the same.
    let readable = segments > 0
        && library.exports().is_ok()
        && library.imports().is_ok()
        && library
            .dynamic_symbols()
            .all(|symbol| symbol.name().is_ok());
    if readable { Ok(()) } else { Err(cut_off()) }
}

fn check_symbol<'a>(library: &object::File<'a, impl object::ReadRef<'a>>) -> Result<()> {
    let versions: Vec<u32> = library
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| {
            // Mach-O puts an underscore in front of every name.
            let name = symbol.name().ok()?;
            name.strip_prefix('_')
                .unwrap_or(name)
                .strip_prefix(SYMBOL)?
                .parse()
                .ok()
        })
        .collect();
    if versions.contains(&VERSION) {
        return Ok(());
    }
    Err(match versions.iter().max() {
        Some(other) => Error::configuration(format!(
            "was built for ABI {other}, this host speaks ABI {VERSION}"
        ))
        .hint(if *other > VERSION {
            "use a newer host, or build the plugin with the SDK of this one"
        } else {
            "build the plugin again with the SDK of this host"
        }),
        None => Error::configuration(format!(
            "is a library but no plugin: it does not export `{SYMBOL}{VERSION}`"
        ))
        .hint("a plugin depends on `metricopt-sdk` and has a `register!` line, or implements `metricopt.h`"),
    })
}
