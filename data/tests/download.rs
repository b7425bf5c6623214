//! Downloads from a server that does what servers do on a bad day.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

mod server;

use std::{
    cell::RefCell,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use metricopt_data::{
    catalogue::{Access, Checksum, Entry, Form, RemoteFile},
    download::{Fetching, Verdict, fetch, verify},
};
use metricopt_sdk::{Error, Result};
use server::{Answer, Server};

/// 100,000 bytes that do not repeat.
fn contents() -> Vec<u8> {
    let mut state = 1u32;
    (0..100_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Of `contents()`, by `md5sum`.
const SUM: &str = "c751ab430df82faa05591bf22ba08359";

/// A data set of one file that stays as it is.
fn plain(bytes: Option<u64>, checksum: Option<Checksum>) -> Entry {
    entry("file.bin", bytes, checksum, Form::Plain)
}

fn entry(name: &'static str, bytes: Option<u64>, checksum: Option<Checksum>, form: Form) -> Entry {
    let file = RemoteFile {
        name,
        url: "http://example.invalid/file",
        bytes,
        checksum,
        form,
    };
    Entry {
        name: "set",
        title: "",
        licence: "",
        citation: "",
        page: "http://example.invalid",
        access: Access::Files(Box::leak(Box::new([file]))),
    }
}

struct Place {
    folder: tempfile::TempDir,
    said: RefCell<Vec<String>>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            said: RefCell::default(),
        }
    }

    fn fetch(&self, entry: &Entry, server: &Server) -> Result<PathBuf> {
        fetch(
            entry,
            &Fetching {
                folder: self.folder.path(),
                mirror: Some(&server.address),
                patience: Duration::from_secs(2),
                pause: Duration::from_millis(1),
                progress: &|_, _, _| {},
                say: &|line| self.said.borrow_mut().push(line.to_owned()),
            },
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Holds after every failure: nothing is in place, and no half-unpacked folder is left.
    fn assert_nothing_in_place(&self) {
        assert!(!self.path("set").exists());
        assert!(!self.path("downloads/set/tree").exists());
    }
}

fn md5() -> Option<Checksum> {
    Some(Checksum::Md5(SUM))
}

fn assert_fetched(place: &Place, result: Result<PathBuf>) {
    let folder = result.unwrap();
    assert_eq!(folder, place.path("set"));
    assert!(fs::read(folder.join("file.bin")).unwrap() == contents());
}

#[test]
fn a_file_is_fetched_once_and_checked_as_often_as_wanted() {
    let (place, server) = (Place::new(), Server::new(vec![Answer::File(contents())]));
    let entry = plain(Some(100_000), md5());
    let verify = || verify(&entry, place.folder.path(), &|_, _, _| {}).unwrap();
    assert_eq!(verify(), Verdict::Absent);
    assert_fetched(&place, place.fetch(&entry, &server));
    assert_fetched(&place, place.fetch(&entry, &server));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/set/file.bin");
    assert_eq!(verify(), Verdict::Whole(1));
    let left: Vec<_> = fs::read_dir(place.path("downloads/set")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the lock: {left:?}");

    let file = place.path("set/file.bin");
    fs::write(&file, b"other").unwrap();
    assert_eq!(verify(), Verdict::Damaged(vec![file.clone()]));
    fs::remove_file(&file).unwrap();
    assert_eq!(verify(), Verdict::Damaged(vec![file]));
}

#[test]
fn dropped_connections_go_on_where_they_ended() {
    let answers = [30_000, 1, 50_000]
        .map(|count| Answer::Dropped(contents(), count))
        .into_iter()
        .chain([Answer::File(contents())])
        .collect();
    let (place, server) = (Place::new(), Server::new(answers));
    assert_fetched(&place, place.fetch(&plain(Some(100_000), md5()), &server));
    let from: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.start())
        .collect();
    assert_eq!(from, [None, Some(30_000), Some(30_001), Some(80_001)]);
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_ended() {
    let (place, entry) = (Place::new(), plain(Some(100_000), md5()));
    // One connection that brings something, then four that bring nothing.
    let first = Server::new(vec![
        Answer::Dropped(contents(), 40_000),
        Answer::Status("503 Service Unavailable"),
    ]);
    let error = place.fetch(&entry, &first).unwrap_err();
    assert!(error.to_string().contains("the server says 503"), "{error}");
    assert_eq!(first.requests().len(), 5);
    place.assert_nothing_in_place();
    let second = Server::new(vec![Answer::File(contents())]);
    assert_fetched(&place, place.fetch(&entry, &second));
    assert_eq!(second.requests()[0].start(), Some(40_000));
}

#[test]
fn a_server_that_ignores_the_range_starts_the_file_again() {
    let answers = vec![
        Answer::Dropped(contents(), 40_000),
        Answer::NoRange(contents()),
    ];
    let (place, server) = (Place::new(), Server::new(answers));
    assert_fetched(&place, place.fetch(&plain(Some(100_000), md5()), &server));
    assert_eq!(server.requests()[1].start(), Some(40_000));
}

#[test]
fn a_part_from_another_place_is_not_used() {
    let answers = vec![
        Answer::Dropped(contents(), 40_000),
        Answer::WrongPart(contents()),
        Answer::File(contents()),
    ];
    let (place, server) = (Place::new(), Server::new(answers));
    assert_fetched(&place, place.fetch(&plain(Some(100_000), md5()), &server));
    assert_eq!(server.requests()[2].start(), None);
}

#[test]
fn a_file_that_changed_on_the_server_is_fetched_from_its_start() {
    // Same length, another version: `If-Range` with the tag of the first one makes the server send all of the second.
    let mut old = contents();
    old.reverse();
    let place = Place::new();
    let entry = plain(Some(100_000), md5());
    let part = place.path("downloads/set/file.bin.part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &old[..40_000]).unwrap();
    fs::write(part.with_extension("part.version"), "\"one\"").unwrap();
    let server = Server::new(vec![Answer::Tagged(contents(), "\"two\"")]);
    assert_fetched(&place, place.fetch(&entry, &server));
    assert_eq!(server.requests().len(), 1);

    // A server without tags: the checksum finds it, and a second fetch from the start mends it.
    let place = Place::new();
    let part = place.path("downloads/set/file.bin.part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &old[..40_000]).unwrap();
    let server = Server::new(vec![Answer::File(contents())]);
    assert_fetched(&place, place.fetch(&entry, &server));
    let from: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.start())
        .collect();
    assert_eq!(from, [Some(40_000), None]);
}

#[test]
fn a_part_that_is_whole_already_needs_no_length_from_the_catalogue() {
    let place = Place::new();
    let part = place.path("downloads/set/file.bin.part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, contents()).unwrap();
    let server = Server::new(vec![Answer::File(contents())]);
    assert_fetched(&place, place.fetch(&plain(None, md5()), &server));
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].start()), (1, Some(100_000)));
}

#[test]
fn wrong_bytes_are_refused_and_forgotten() {
    let mut wrong = contents();
    wrong[77_777] ^= 1;
    let (place, server) = (Place::new(), Server::new(vec![Answer::File(wrong)]));
    let error = place
        .fetch(&plain(Some(100_000), md5()), &server)
        .unwrap_err();
    assert!(
        error.to_string().contains("is not what it should be"),
        "{error}"
    );
    assert!(error.to_string().contains(SUM), "{error}");
    place.assert_nothing_in_place();
    assert!(!place.path("downloads/set/file.bin.part").exists());
}

#[test]
fn lengths_that_are_not_true_are_found_out() {
    let entry = plain(Some(100_000), md5());
    // A page of the server's own instead of the file.
    let (place, server) = (
        Place::new(),
        Server::new(vec![Answer::File(b"<html>".to_vec())]),
    );
    let error = place.fetch(&entry, &server).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has 6 bytes on the server instead of 100000"),
        "{error}"
    );
    place.assert_nothing_in_place();
    // Promises more than it sends, for ever.
    let (place, server) = (
        Place::new(),
        Server::new(vec![Answer::Lie(contents(), 100_001)]),
    );
    let error = place.fetch(&plain(None, md5()), &server).unwrap_err();
    assert!(error.to_string().starts_with("cannot fetch"), "{error}");
    place.assert_nothing_in_place();
    // Promises less: what comes after the promised end is not read.
    let (place, server) = (
        Place::new(),
        Server::new(vec![Answer::Lie(contents(), 99_999)]),
    );
    let error = place.fetch(&plain(None, md5()), &server).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    place.assert_nothing_in_place();
}

#[test]
fn redirects_are_followed_but_not_in_circles() {
    let entry = plain(Some(100_000), md5());
    let answers = vec![
        Answer::Redirect("/elsewhere"),
        Answer::Redirect("/there"),
        Answer::File(contents()),
    ];
    let (place, server) = (Place::new(), Server::new(answers));
    assert_fetched(&place, place.fetch(&entry, &server));
    assert_eq!(server.requests()[2].path, "/there");

    let (place, server) = (Place::new(), Server::new(vec![Answer::Redirect("/again")]));
    let error = place.fetch(&entry, &server).unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert!(server.requests().len() < 20);
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let answers = vec![
        Answer::Silence(contents(), 40_000),
        Answer::File(contents()),
    ];
    let (place, server) = (Place::new(), Server::new(answers));
    let start = std::time::Instant::now();
    assert_fetched(&place, place.fetch(&plain(Some(100_000), md5()), &server));
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(server.requests()[1].start(), Some(40_000));
}

#[test]
fn an_error_names_the_address_and_where_to_put_the_file() {
    let entry = plain(Some(100_000), md5());
    let (place, server) = (
        Place::new(),
        Server::new(vec![Answer::Status("404 Not Found")]),
    );
    let error = place.fetch(&entry, &server).unwrap_err();
    assert!(error.to_string().contains("404 Not Found"), "{error}");
    assert_eq!(server.requests().len(), 1);
    let by_hand = place.path("downloads/set/file.bin");
    let hint = error.hints().join("\n");
    assert!(hint.contains("http://example.invalid/file"), "{hint}");
    assert!(hint.contains(by_hand.to_str().unwrap()), "{hint}");
    // And so it can be done.
    fs::write(&by_hand, contents()).unwrap();
    assert_fetched(&place, place.fetch(&entry, &server));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nobody_there_is_an_error_that_names_the_address() {
    let place = Place::new();
    let server = Server::nobody();
    let error = place.fetch(&plain(Some(1), None), &server).unwrap_err();
    assert!(error.to_string().contains("/set/file.bin"), "{error}");
    place.assert_nothing_in_place();
}

#[test]
fn what_can_only_be_had_by_hand_is_not_fetched() {
    let (place, server) = (Place::new(), Server::new(vec![Answer::File(contents())]));
    let manual = Entry {
        access: Access::Manual("accept the terms"),
        ..plain(None, None)
    };
    let error = place.fetch(&manual, &server).unwrap_err();
    assert!(error.hints()[0].contains("accept the terms"));
    assert!(error.hints()[0].contains(place.path("set").to_str().unwrap()));
    assert!(server.requests().is_empty());
}

#[test]
fn two_at_a_time_fetch_once() {
    let server = Server::new(vec![Answer::File(contents())]);
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let one = || {
            let entry = plain(Some(100_000), md5());
            let fetching = Fetching {
                folder: folder.path(),
                mirror: Some(&server.address),
                patience: Duration::from_secs(5),
                pause: Duration::from_millis(1),
                progress: &|_, _, _| {},
                say: &|_| {},
            };
            fetch(&entry, &fetching).unwrap();
        };
        for _ in 0..6 {
            scope.spawn(one);
        }
    });
    assert_eq!(server.requests().len(), 1);
}

/// A tar file with entries made by hand, so that it can hold what a well-meaning program refuses to write.
fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name("/etc").unwrap();
        }
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(archive: Vec<u8>, form: Form) -> (Place, Result<PathBuf, Error>) {
    let (place, server) = (Place::new(), Server::new(vec![Answer::File(archive)]));
    let result = place.fetch(&entry("archive", None, None, form), &server);
    (place, result)
}

#[test]
fn archives_are_unpacked_whole_or_not_at_all() {
    use tar::EntryType as T;
    let archive = tar_of(&[
        ("top/", T::Directory, b""),
        ("top/a.txt", T::Regular, b"one"),
        ("./top/deep/b.txt", T::Regular, b"two"),
    ]);
    for packed in [archive.clone(), gzip(&archive)] {
        let (place, result) = unpack(packed, Form::Tar);
        let folder = result.unwrap();
        assert_eq!(fs::read(folder.join("top/deep/b.txt")).unwrap(), b"two");
        let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        // By `printf one | sha256sum`.
        let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed  top/a.txt\n";
        assert!(sums.starts_with(one), "{sums}");
        assert!(
            place
                .said
                .borrow()
                .iter()
                .any(|line| line.contains("no checksum"))
        );
    }
    // Cut off after the first file.
    let (place, result) = unpack(gzip(&archive)[..60].to_vec(), Form::Tar);
    assert!(result.is_err());
    place.assert_nothing_in_place();
    let (place, result) = unpack(b"no archive at all".repeat(99), Form::Tar);
    assert!(result.is_err());
    place.assert_nothing_in_place();
}

#[test]
fn archives_that_reach_out_of_their_folder_are_refused() {
    use tar::EntryType as T;
    let cases = [
        ("../evil", T::Regular),
        ("a/../../evil", T::Regular),
        ("/tmp/evil", T::Regular),
        ("C:\\evil", T::Regular),
        ("link", T::Symlink),
        ("link", T::Link),
        ("null", T::Char),
        ("pipe", T::Fifo),
    ];
    for (name, kind) in cases {
        let archive = tar_of(&[("good", T::Regular, b"good"), (name, kind, b"")]);
        let (place, result) = unpack(archive, Form::Tar);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("refused") && error.contains(name), "{error}");
        place.assert_nothing_in_place();
        assert!(!place.path("evil").exists() && !place.path("downloads/evil").exists());
    }
    let twice = tar_of(&[("a", T::Regular, b"1"), ("a", T::Regular, b"2")]);
    let error = unpack(twice, Form::Tar).1.unwrap_err();
    assert!(error.to_string().contains("there twice"), "{error}");
}

#[test]
fn bombs_are_refused() {
    // 100 MiB of zeros in 100 kB: more than 20 times its length and 64 MiB.
    let zeros = vec![0; 100 << 20];
    let bomb = gzip(&tar_of(&[("zeros", tar::EntryType::Regular, &zeros)]));
    let (place, result) = unpack(bomb, Form::Tar);
    let error = result.unwrap_err();
    assert!(
        error.to_string().contains("unpacks to more than"),
        "{error}"
    );
    place.assert_nothing_in_place();
}

fn zip_of(entries: &[(&str, &[u8])], symlink: bool) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in entries {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    if symlink {
        archive.add_symlink("link", "/etc", options).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn zip_files_obey_the_same_rules() {
    let (_place, result) = unpack(
        zip_of(&[("a/b.txt", b"one"), ("c.txt", b"two")], false),
        Form::Zip,
    );
    assert_eq!(fs::read(result.unwrap().join("a/b.txt")).unwrap(), b"one");
    for (archive, reason) in [
        (
            zip_of(&[("../evil", b"x")], false),
            "leads out of its folder",
        ),
        (zip_of(&[("/evil", b"x")], false), "leads out of its folder"),
        (zip_of(&[("good", b"x")], true), "a link or a device"),
        (
            zip_of(&[("zeros", &vec![0; 80 << 20])], false),
            "unpacks to more than",
        ),
        (zip_of(&[], false), "holds no file"),
        (b"PK\x03\x04 and then nothing".to_vec(), "damaged"),
    ] {
        let (place, result) = unpack(archive, Form::Zip);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        place.assert_nothing_in_place();
    }
}

#[test]
fn the_catalogue_is_in_order() {
    use metricopt_data::catalogue::{ENTRIES, find};
    assert!(ENTRIES.windows(2).all(|pair| pair[0].name < pair[1].name));
    for entry in ENTRIES {
        assert_eq!(find(entry.name).unwrap().title, entry.title);
        let Access::Files(files) = entry.access else {
            continue;
        };
        for file in files {
            assert!(file.url.starts_with("http"), "{}", file.url);
            assert!(Path::new(file.name).components().count() == 1);
            let digits = match file.checksum {
                Some(Checksum::Md5(sum)) => sum.len() == 32,
                Some(Checksum::Sha256(sum)) => sum.len() == 64,
                None => true,
            };
            assert!(digits, "{}", file.url);
        }
    }
    assert_eq!(find("cifar10").unwrap().bytes(), Some(170_052_171));
    assert!(find("cifar").unwrap_err().hints()[0].contains("cifar10"));
}
