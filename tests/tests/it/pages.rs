//! The pages in a real browser, wide and narrow, on light and dark paper.

use crate::browser::Browser;
use crate::detection;
use crate::support::{Place, succeeds};
use serde_json::{Value, json};
use std::path::Path;

const PROBE: &str = include_str!("probe.js");

/// Everything that can be reached by keyboard, and is on show.
const REACHABLE: &str = "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter((e) => e.checkVisibility())";

/// What is wrong with a page in a window of this width.
fn problems(browser: &mut Browser, page: &Path, width: u32, scheme: &str) -> Vec<String> {
    browser.open(page, width, scheme);
    let paper = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    let mut problems = texts(&browser.evaluate(PROBE));
    problems.extend(unreached(browser));
    // Once more with everything unfolded.
    browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    problems.extend(texts(&browser.evaluate(PROBE)));
    problems.extend(browser.noise(page));
    let expected = match scheme {
        "dark" => "rgb(20, 24, 28)",
        _ => "rgb(255, 255, 255)",
    };
    if paper != expected {
        problems.push(format!("the paper is {paper} where it should be {scheme}"));
    }
    problems.sort_unstable();
    problems.dedup();
    problems
}

fn texts(found: &Value) -> Vec<String> {
    serde_json::from_value(found.clone()).unwrap()
}

/// What the tabulator key does not reach, or reaches without showing it.
fn unreached(browser: &mut Browser) -> Vec<String> {
    browser.evaluate(&format!("window.missing = new Set({REACHABLE}); 0"));
    let count = browser.evaluate("missing.size").as_u64().unwrap();
    let mut problems = Vec::new();
    // Boxes that scroll may be stops as well.
    for _ in 0..2 * count + 4 {
        browser.press_tab();
        let hidden = browser.evaluate(
            "(() => {
               const at = document.activeElement;
               if (!missing.delete(at)) return null;
               const box = at.getBoundingClientRect();
               const seen = getComputedStyle(at).outlineStyle !== 'none' && box.right > 0 && box.bottom > 0
                 && box.left < innerWidth && box.top < innerHeight;
               return seen ? null : at.textContent.trim().slice(0, 40);
             })()",
        );
        if let Some(text) = hidden.as_str() {
            problems.push(format!("`{text}` has the focus and does not show it"));
        }
    }
    let missing = browser.evaluate("[...missing].map((e) => e.textContent.trim().slice(0, 40))");
    let missing = texts(&missing).into_iter();
    problems.extend(missing.map(|text| format!("`{text}` cannot be reached by keyboard")));
    problems
}

#[test]
fn slow_every_page_is_sound_in_a_browser() {
    let place = Place::new();
    let Some(mut browser) = Browser::start(&place.path("profile")) else {
        return;
    };
    succeeds(place.run("run", &[]));
    succeeds(place.run("other", &["--seed", "1"]));
    succeeds(place.host(&["report", "run", "other"]));
    succeeds(place.compare("several", &["--seeds", "3"]));
    succeeds(detection::quick(&place, "boxes"));
    for page in [
        "run/report.html",
        "report.html",
        "several/comparison.html",
        "boxes/report.html",
    ] {
        for width in [1400, 400] {
            for scheme in ["light", "dark"] {
                let found = problems(&mut browser, &place.path(page), width, scheme);
                assert_eq!(found, [""; 0], "{page}, {width} wide, {scheme}");
            }
        }
    }
}

/// The checks themselves: a page with one fault of each kind.
#[test]
fn faults_of_a_page_are_found_in_a_browser() {
    let place = Place::new();
    let Some(mut browser) = Browser::start(&place.path("profile")) else {
        return;
    };
    let picture = "viewBox=\"0 0 400 100\" width=\"400\" role=\"img\"";
    place.write(
        "faults.html",
        format!(
            "<!DOCTYPE html><html><body style=\"margin: 0\">
             <div style=\"width: 1500px\">wide</div>
             <div style=\"width: 90px; overflow-x: auto\"><p tabindex=\"-1\" style=\"width: 800px\">box</p></div>
             <svg {picture} aria-label=\"texts\"><path class=\"mark\" d=\"M0 0h9\"/>
             <text x=\"10\" y=\"50\">one</text><text x=\"20\" y=\"50\">two</text><text x=\"390\" y=\"90\">three</text></svg>
             <svg {picture} aria-label=\"empty\"><text x=\"10\" y=\"50\">four</text></svg>
             <p style=\"color: #999\">pale</p>
             <a href=\"#a\" style=\"outline: none\">plain</a>
             <script>addEventListener('keydown', (e) => {{ if (document.activeElement.id == 'b') e.preventDefault(); }});
             console.error('oh'); missing.call()</script><img src=\"http://127.0.0.1:9/x.png\">
             <a href=\"#b\" id=\"b\">trap</a><a href=\"#c\">beyond</a></body></html>"
        ),
    );
    let found = problems(&mut browser, &place.path("faults.html"), 1400, "dark").join("\n");
    for expected in [
        "the page is 1500 wide in a window of 1400",
        "div \"box\" scrolls, but not by keyboard",
        "text \"one\" and text \"two\" overlap in \"texts\"",
        "text \"three\" is cut off in \"texts\"",
        "\"empty\" shows no data",
        "p \"pale\" has a contrast of 2.8",
        "`plain` has the focus and does not show it",
        "`beyond` cannot be reached by keyboard",
        "asks for http://127.0.0.1:9/x.png",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "where it should be dark",
    ] {
        assert!(found.contains(expected), "no `{expected}` in\n{found}");
    }
    assert_eq!(browser.evaluate("1 + 1"), json!(2));
}
