//! `events.jsonl` as curves.

use serde::Deserialize;

/// The curves of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One for each time that a method was run: some try several learning rates or weights.
    pub paths: Vec<Path>,
    /// Why there is no landscape, if the run said so.
    pub no_landscape: Option<String>,
}

/// One pass of a method through its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// The method.
    pub method: String,
    /// Minibatch loss at each step.
    pub losses: Vec<(f64, f64)>,
    /// Validation metric where it was observed.
    pub observed: Vec<Observed>,
}

/// One observation of the validation metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Steps done.
    pub step: f64,
    /// Natural value.
    pub validation: f64,
    /// Queries of the whole run until then.
    pub queries: f64,
}

#[derive(Deserialize)]
struct Line {
    version: u32,
    event: String,
    method: Option<String>,
    step: Option<f64>,
    loss: Option<f64>,
    validation: Option<f64>,
    queries: Option<f64>,
    reason: Option<String>,
}

impl History {
    /// Reads the lines; says what is wrong with them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut history = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line: Line = serde_json::from_str(line)
                .map_err(|error| format!("line {}: {error}", index + 1))?;
            if line.version != 1 {
                let (number, version) = (index + 1, line.version);
                return Err(format!("line {number} has version {version}, expected 1"));
            }
            history.add(line);
        }
        Ok(history)
    }

    fn add(&mut self, line: Line) {
        match (line.event.as_str(), line.method, line.step) {
            ("step", Some(method), Some(step)) => {
                let path = self.path(&method, step);
                path.losses.push((step, line.loss.unwrap_or(f64::NAN)));
            }
            ("observed", Some(method), Some(step)) => {
                if let (Some(validation), Some(queries)) = (line.validation, line.queries) {
                    self.path(&method, step).observed.push(Observed {
                        step,
                        validation,
                        queries,
                    });
                }
            }
            ("landscape-left-out", ..) => self.no_landscape = line.reason,
            _ => {}
        }
    }

    /// The path that a step belongs to: steps of one path ascend.
    fn path(&mut self, method: &str, step: f64) -> &mut Path {
        let goes_on = self.paths.last().is_some_and(|path| {
            let before = path.losses.last().map_or(-1.0, |&(step, _)| step);
            path.method == method && step > before
        });
        if !goes_on {
            self.paths.push(Path {
                method: method.to_owned(),
                ..Path::default()
            });
        }
        let last = self.paths.len() - 1;
        &mut self.paths[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_begins_again_has_two_paths() {
        let line = |event: &str, step: u32| {
            format!(
                "{{\"version\":1,\"event\":\"{event}\",\"method\":\"es\",\"step\":{step},\"loss\":0.5,\"validation\":0.7,\"queries\":9}}\n"
            )
        };
        let text: String = [("step", 0), ("step", 1), ("observed", 2), ("step", 0)]
            .map(|(event, step)| line(event, step))
            .concat();
        let history = History::parse(&text).unwrap();
        assert_eq!(history.paths.len(), 2);
        assert_eq!(history.paths[0].losses, [(0.0, 0.5), (1.0, 0.5)]);
        assert_eq!(history.paths[0].observed[0].queries, 9.0);
        assert_eq!(history.paths[1].losses.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let good = "{\"version\":1,\"event\":\"something new\"}\n";
        assert_eq!(History::parse(good).unwrap(), History::default());
        let error = History::parse(&format!("{good}{{\"version\":1,")).unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
        let error = History::parse("{\"version\":2,\"event\":\"step\"}").unwrap_err();
        assert_eq!(error, "line 1 has version 2, expected 1");
    }
}
