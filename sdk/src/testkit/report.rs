//! What the kit found out about a metric, for people and for scripts.

use serde::Serialize;
use std::fmt;

use super::profile::{Profile, summarise};

/// A law that every metric obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Law {
    /// The same input gives the same bits, again and again and on several threads at once.
    Determinism,
    /// The order of the samples does not count.
    Permutation,
    /// The order of samples with equal scores does not count.
    Ties,
    /// Inputs at the edge of what is allowed give a value or an error that says why there is none.
    Degenerate,
    /// Values lie in the declared range.
    Range,
    /// Better predictions are not worse, in the declared direction.
    Direction,
    /// A metric declared `RANK_BASED` looks at the order of the scores only.
    RankBased,
    /// `evaluate_many` gives the values of `evaluate`.
    Population,
}

impl Law {
    /// The name, in lower case with hyphens.
    pub const fn name(self) -> &'static str {
        match self {
            Law::Determinism => "determinism",
            Law::Permutation => "permutation",
            Law::Ties => "ties",
            Law::Degenerate => "degenerate",
            Law::Range => "range",
            Law::Direction => "direction",
            Law::RankBased => "rank-based",
            Law::Population => "population",
        }
    }

    /// What to do about a metric that breaks it.
    const fn hint(self) -> &'static str {
        match self {
            Law::Determinism => {
                "a metric is a function of its input alone: no counter, clock or unseeded random number"
            }
            Law::Permutation => "let no place in the input count, and sum in `f64`",
            Law::Ties => {
                "take equal scores as one threshold, or order them by their contents: a sort leaves them as they came"
            }
            Law::Degenerate => {
                "return `Error::undefined` where the definition gives no value, and finite values elsewhere"
            }
            Law::Range => "correct `RANGE`, or the computation",
            Law::Direction => "check `DIRECTION`: metricopt would make the model worse on purpose",
            Law::RankBased => "do not declare `RANK_BASED`, or compare scores with each other only",
            Law::Population => {
                "do the arithmetic of `evaluate` in the same order, or do not override `evaluate_many`"
            }
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What came of checking a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No counterexample was found.
    Held,
    /// There is a counterexample.
    Broken,
    /// The law says nothing about this metric, or could not be checked.
    NotApplicable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Verdict::Held => "held",
            Verdict::Broken => "BROKEN",
            Verdict::NotApplicable => "n/a",
        })
    }
}

/// One law and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The law.
    pub law: Law,
    /// Whether it held.
    pub verdict: Verdict,
    /// In one sentence, with numbers; the counterexample if it is broken.
    pub explanation: String,
    /// What to do about it, if it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
}

impl Finding {
    fn new(law: Law, verdict: Verdict, explanation: impl Into<String>) -> Self {
        Self {
            law,
            verdict,
            // One line, whatever a metric says in its errors.
            explanation: explanation.into().replace('\n', " "),
            hint: (verdict == Verdict::Broken).then(|| law.hint()),
        }
    }

    pub(crate) fn held(law: Law, explanation: impl Into<String>) -> Self {
        Self::new(law, Verdict::Held, explanation)
    }

    pub(crate) fn broken(law: Law, explanation: impl Into<String>) -> Self {
        Self::new(law, Verdict::Broken, explanation)
    }

    pub(crate) fn not_applicable(law: Law, explanation: impl Into<String>) -> Self {
        Self::new(law, Verdict::NotApplicable, explanation)
    }
}

/// What the kit found out about a metric.
///
/// `Display` writes it one law a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Name of the metric.
    pub metric: String,
    /// Every law, in a fixed order.
    pub findings: Vec<Finding>,
    /// What else the author should know.
    pub notes: Vec<String>,
    /// The metric along random lines through a small built-in model; empty if it was not asked for.
    pub profiles: Vec<Profile>,
}

impl Report {
    /// The laws that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Broken)
    }

    /// What came of one law.
    pub fn verdict(&self, law: Law) -> Verdict {
        let found = self.findings.iter().find(|finding| finding.law == law);
        found.map_or(Verdict::NotApplicable, |finding| finding.verdict)
    }

    /// Fails a test if a law is broken.
    ///
    /// # Panics
    ///
    /// With the whole report, if a law is broken.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.broken().next().is_none(), "\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |verdict| {
            let of_it = self
                .findings
                .iter()
                .filter(|found| found.verdict == verdict);
            of_it.count()
        };
        let held = count(Verdict::Held);
        write!(
            formatter,
            "metric `{}`: {held} law{} held, {} broken, {} not applicable\n\n",
            self.metric,
            plural(held),
            count(Verdict::Broken),
            count(Verdict::NotApplicable)
        )?;
        for found in &self.findings {
            // Padding works on text only.
            let (law, verdict) = (found.law.name(), found.verdict.to_string());
            writeln!(
                formatter,
                "  {law:<11}  {verdict:<6}  {}",
                found.explanation
            )?;
            if let Some(hint) = found.hint {
                writeln!(formatter, "  {:<11}  {:<6}  hint: {hint}", "", "")?;
            }
        }
        for note in &self.notes {
            write!(formatter, "\nnote: {note}")?;
        }
        if !self.notes.is_empty() {
            writeln!(formatter)?;
        }
        if !self.profiles.is_empty() {
            writeln!(
                formatter,
                "\nalong random lines through a small built-in model:"
            )?;
        }
        for profile in &self.profiles {
            writeln!(formatter, "  {profile}")?;
        }
        if !self.profiles.is_empty() {
            writeln!(formatter, "{}", summarise(&self.profiles))?;
        }
        Ok(())
    }
}

/// `s` if there is not exactly one.
pub(crate) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
