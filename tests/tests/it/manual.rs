//! Completions and manual pages say what the command line is.

use crate::support::{Place, succeeds};
use std::fs;
use std::process::Command;

/// The commands in the help, with those of `plugin` and `data`.
fn commands(place: &Place) -> Vec<String> {
    let of = |arguments: &[&str]| -> Vec<String> {
        let help = succeeds(place.host(arguments));
        let listed = help.split("Commands:\n").nth(1).unwrap();
        let listed = listed.split("\n\n").next().unwrap();
        listed
            .lines()
            // Documentation goes on further to the right.
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let mut commands = of(&["--help"]);
    assert!(
        commands.contains(&"check-metric".to_owned()),
        "{commands:?}"
    );
    for group in ["plugin", "data"] {
        let below = of(&[group, "--help"]);
        commands.extend(below.iter().map(|name| format!("{group}-{name}")));
    }
    commands
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn completions_parse_and_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(place.host(&["completions", shell]));
        for command in commands(&place) {
            let name = ["plugin-", "data-"]
                .iter()
                .find_map(|group| command.strip_prefix(group))
                .unwrap_or(&command);
            assert!(script.contains(name), "{shell} knows no `{command}`");
        }
        assert!(script.contains("bash") || shell != "bash");
        place.write("script", &script);
        let parsed = Command::new(shell)
            .arg("-n")
            .arg(place.path("script"))
            .output();
        match parsed {
            Ok(output) => assert!(
                output.status.success() && output.stderr.is_empty(),
                "{shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(_) => eprintln!("left out: there is no {shell} to parse its completions"),
        }
    }
}

#[test]
fn bash_completes_a_command_and_an_option() {
    let place = Place::new();
    place.write("script", succeeds(place.host(&["completions", "bash"])));
    let complete = |words: &[&str]| {
        let script = format!(
            "source ./script; COMP_WORDS=({words}); COMP_CWORD={last}; _host host '{word}' '{before}'; echo \"${{COMPREPLY[*]}}\"",
            words = words.join(" "),
            last = words.len() - 1,
            word = words[words.len() - 1],
            before = words[words.len() - 2],
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete(&["host", "che"]), "check-metric");
    assert_eq!(complete(&["host", "run", "--see"]), "--seed");
}

#[test]
fn every_command_has_a_page() {
    let place = Place::new();
    let printed = succeeds(place.host(&["man", "--out", "pages/man1"]));
    let files = place.files("pages/man1");
    let mut expected: Vec<String> = commands(&place)
        .iter()
        .map(|name| format!("host-{name}.1"))
        .collect();
    expected.push("host.1".to_owned());
    expected.sort_unstable();
    assert_eq!(files, expected);
    assert_eq!(printed.lines().count(), files.len());
    for file in &files {
        let page = fs::read_to_string(place.path("pages/man1").join(file)).unwrap();
        let name = file.strip_suffix(".1").unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"));
    }
    let main = fs::read_to_string(place.path("pages/man1/host.1")).unwrap();
    for command in commands(&place) {
        let named = format!("host\\-{}(1)", command.replace('-', "\\-"));
        assert!(
            command.starts_with("plugin-") || command.starts_with("data-") || main.contains(&named),
            "no {named} in {main}"
        );
    }
    assert_eq!(succeeds(place.host(&["man"])), main);
    assert!(!place.path("host.1").exists());
}
