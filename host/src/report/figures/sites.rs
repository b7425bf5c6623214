//! How far the adapter moves each FiLM site.

use std::fmt::Write;

use super::super::data::Run;
use super::super::html::{data, escape, general, shorten};
use super::super::scale::Scale;
use super::super::sites::SiteChange;
use super::{Content, Figure, figure};

const WIDTH: f64 = 400.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 16.0;
const ROW: f64 = 38.0;
/// Most sites in the picture; the numbers hold all.
const MOST_SITES: usize = 40;

/// Builds the section.
pub fn sites(run: &Run) -> Figure {
    let tuned = run.plane.as_ref().map(|plane| &plane.tuned);
    // The tuned adapter says more than the kept one, which changes nothing where the run kept the network as it was.
    let changes = tuned
        .filter(|sites| !sites.is_empty())
        .or(run.adapter.as_ref());
    let content = match changes {
        Some(sites) if sites.is_empty() => Content::LeftOut("the adapter has no site".to_owned()),
        Some(sites) => Content::Drawn(draw(run, sites)),
        None => {
            Content::LeftOut("there is no `adapter.safetensors` in the run directory".to_owned())
        }
    };
    Figure {
        id: "sites",
        title: "What the adapter changes",
        content,
    }
}

/// Root mean square over channels: sites of different width can be compared.
fn per_channel(norm: f64, site: &SiteChange) -> f64 {
    norm / (site.channels.max(1) as f64).sqrt()
}

fn draw(run: &Run, sites: &[SiteChange]) -> String {
    let shown = sites.get(..MOST_SITES).unwrap_or(sites);
    let lengths = shown
        .iter()
        .flat_map(|site| [per_channel(site.scale, site), per_channel(site.shift, site)]);
    let longest = lengths.fold(0.0, f64::max);
    // Where nothing changed the axis still begins at 0.
    let x = Scale::from_to(0.0, if longest > 0.0 { 1.05 * longest } else { 1.0 });
    let at = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
    let bottom = 8.0 + ROW * shown.len() as f64;
    let mut svg = String::new();
    // Writing to a `String` cannot fail.
    for (value, label) in x.ticks(4) {
        let at = at(value);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} 4V{bottom}\"/><text class=\"tick middle\" x=\"{at:.1}\" y=\"{}\">{label}</text>",
            bottom + 16.0
        );
    }
    for (row, site) in shown.iter().enumerate() {
        let top = 8.0 + ROW * row as f64;
        let _ = write!(
            svg,
            "<text class=\"label end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            top + 20.0,
            escape(&shorten(&site.name, 16))
        );
        for (index, (kind, norm)) in [("scale", site.scale), ("shift", site.shift)]
            .into_iter()
            .enumerate()
        {
            let value = per_channel(norm, site);
            let _ = write!(
                svg,
                "<rect class=\"bar {kind}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"><title>{}: {kind} {}</title></rect>",
                top + 4.0 + 14.0 * index as f64,
                (at(value) - LEFT).max(0.0),
                escape(&site.name),
                general(value)
            );
        }
    }
    let words: Vec<String> = shown
        .iter()
        .map(|site| {
            format!(
                "{} scale {}, shift {}",
                site.name,
                general(per_channel(site.scale, site)),
                general(per_channel(site.shift, site))
            )
        })
        .collect();
    let height = bottom + 42.0;
    let svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{svg}<path class=\"axis\" d=\"M{LEFT} 4V{bottom}H{}\"/><text class=\"label end\" x=\"{}\" y=\"{:.1}\">root mean square over channels</text></svg>",
        escape(&format!("Change of each site: {}.", words.join("; "))),
        WIDTH - RIGHT,
        WIDTH - RIGHT,
        height - 7.0
    );
    let kept = if run.summary.accepted {
        "This adapter was kept."
    } else {
        "This adapter was not kept: the run returned the network as it was."
    };
    let more = match sites.len() - shown.len() {
        0 => String::new(),
        more => format!(" {more} more sites are in the numbers."),
    };
    let caption = format!(
        "How far scale is from 1 and shift from 0 at each FiLM site: root mean square over its channels. {kept}{more}"
    );
    let legend = "<ul class=\"legend\"><li><svg viewBox=\"0 0 34 14\" aria-hidden=\"true\"><rect class=\"bar scale\" x=\"1\" y=\"1\" width=\"32\" height=\"12\"/></svg>scale (upper)</li><li><svg viewBox=\"0 0 34 14\" aria-hidden=\"true\"><rect class=\"bar shift\" x=\"1\" y=\"1\" width=\"32\" height=\"12\"/></svg>shift (lower)</li></ul>";
    let rows: Vec<Vec<String>> = sites
        .iter()
        .map(|site| {
            vec![
                site.name.clone(),
                site.channels.to_string(),
                general(site.scale),
                general(site.shift),
                general(per_channel(site.scale, site)),
                general(per_channel(site.shift, site)),
            ]
        })
        .collect();
    format!(
        "{legend}{}{}",
        figure(&[svg], &escape(&caption)),
        data(
            "change of every site",
            &[
                "site",
                "channels",
                "scale, norm",
                "shift, norm",
                "scale, RMS",
                "shift, RMS"
            ],
            &rows
        )
    )
}
