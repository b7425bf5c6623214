//! `host data` through the real binary, with a mirror in this process.

use crate::support::{Place, fails, succeeds};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

/// Serves a folder; gives its address.
fn mirror(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = first.split(' ').nth(1).unwrap().trim_start_matches('/');
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // A client that has heard enough hangs up.
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    address
}

/// a9a in the published lengths; no checksum of it is published.
fn a9a(place: &Place) -> String {
    fs::create_dir_all(place.path("mirror/a9a")).unwrap();
    for (name, length) in [("a9a", 2_329_875), ("a9a.t", 1_164_628)] {
        place.write(&format!("mirror/a9a/{name}"), vec![b'x'; length]);
    }
    mirror(&place.path("mirror"))
}

/// The host with the data directory of the place.
fn host(place: &Place, arguments: &[&str], mirror: &str) -> Command {
    let mut command = place.host(arguments);
    command
        .env("METRICOPT_DATA_MIRROR", mirror)
        .env_remove("METRICOPT_DATA");
    command
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(host(place, arguments, ""))).unwrap()
}

#[test]
fn a_data_set_is_fetched_found_and_checked() {
    let place = Place::new();
    let address = a9a(&place);
    let folder = place.path("data/metricopt/data/a9a");
    let error = fails(host(&place, &["data", "path", "a9a"], &address), 1);
    assert!(
        error.contains("hint: fetch it with `host data fetch a9a`"),
        "{error}"
    );

    let printed = succeeds(host(&place, &["data", "fetch", "a9a"], &address));
    assert_eq!(Path::new(printed.trim()), folder);
    assert_eq!(fs::metadata(folder.join("a9a.t")).unwrap().len(), 1_164_628);
    let found = succeeds(host(&place, &["data", "path", "a9a"], ""));
    assert_eq!(Path::new(found.trim()), folder);

    let listed = json(&place, &["data", "list", "--json"]);
    let sets = listed["data_sets"].as_array().unwrap();
    let there: Vec<_> = sets
        .iter()
        .filter(|set| set["there"] == true)
        .map(|set| &set["name"])
        .collect();
    assert_eq!(there, ["a9a"]);
    let cifar = sets.iter().find(|set| set["name"] == "cifar10").unwrap();
    assert_eq!(cifar["files"][0]["md5"], "c32a1d4ab5d03f1284b67883e8d87530");
    let table = succeeds(host(&place, &["data", "list"], ""));
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("a9a ") && line.contains("there")),
        "{table}"
    );

    let checked = json(&place, &["data", "check", "--json"]);
    assert_eq!(checked["data_sets"][0]["state"], "whole");
    fs::write(folder.join("a9a"), "something else").unwrap();
    let output = host(&place, &["data", "check"], "")
        .assert()
        .code(1)
        .get_output()
        .clone();
    let (verdict, error) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert!(
        String::from_utf8(verdict)
            .unwrap()
            .contains("1 files are missing or have changed")
    );
    assert!(error.contains("not as they should be: a9a"), "{error}");
}

#[test]
fn what_is_not_in_the_catalogue_or_not_on_the_server_is_said() {
    let place = Place::new();
    let address = a9a(&place);
    let error = fails(host(&place, &["data", "fetch", "cifar"], &address), 2);
    assert!(
        error.contains("no data set `cifar`") && error.contains("cifar10"),
        "{error}"
    );
    let error = fails(host(&place, &["data", "fetch", "mnist"], &address), 1);
    assert!(error.contains("404 Not Found"), "{error}");
    assert!(
        error.contains(&format!("{address}/mnist/train-images-idx3-ubyte.gz")),
        "{error}"
    );
    assert!(error.contains("put it at `"), "{error}");
    let error = fails(host(&place, &["data", "fetch", "imagenet"], &address), 1);
    assert!(
        error.contains("can only be had by hand") && error.contains("accept its terms"),
        "{error}"
    );
    assert!(!place.path("data/metricopt/data/mnist").exists());
}
