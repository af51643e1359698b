//! A plot of one part: a bar for each side of each case, as a ratio to upstream, with the spread of its samples.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::{Part, Results, Row, Unit};

const WIDTH: u32 = 860;
/// Left of the bars.
const LABELS: i32 = 420;
const LINE: i32 = 20;
const HEAD: i32 = 46;
const FONT: u32 = 13;

/// One bar: its label, and its ratio with the ratios of the lowest and the highest sample.
struct Bar {
    label: String,
    low: f64,
    ratio: f64,
    high: f64,
    better: Option<bool>,
}

/// The plot of `part`; `None` without a row of it.
///
/// # Errors
/// When it cannot be drawn.
pub(super) fn bars(results: &Results, part: Part) -> Result<Option<String>> {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| row.part == part).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    // Rates of bytes are ratios to the memory.
    let rows = rows.into_iter().filter(|row| row.unit != Unit::Rate);
    let bars: Vec<Bar> = rows.filter_map(|row| bar(results, row)).collect();
    let mut svg = String::new();
    draw(&mut svg, part, &bars).map_err(|error| anyhow!("cannot draw {part}: {error}"))?;
    // The crate ends no line.
    Ok(Some(svg.trim_end().to_owned() + "\n"))
}

fn bar(results: &Results, row: &Row) -> Option<Bar> {
    let ratio = results.ratio(row)?;
    let scale = ratio / row.median()?;
    let (low, high) = row.range()?;
    Some(Bar {
        label: format!("{}, {}", row.case, row.side),
        low: scale * low,
        ratio,
        high: scale * high,
        better: results.is_better(row),
    })
}

fn draw(svg: &mut String, part: Part, bars: &[Bar]) -> std::result::Result<(), Failure> {
    let height = HEAD + LINE * bars.len() as i32 + 10;
    let area = SVGBackend::with_string(svg, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE).map_err(failure)?;
    let style = |color: &RGBColor| ("sans-serif", FONT).into_font().color(color);
    let right = |color: &RGBColor| style(color).pos(Pos::new(HPos::Right, VPos::Center));
    let top = bars.iter().map(|bar| bar.high).fold(1.0, f64::max) * 1.05;
    let x = |ratio: f64| LABELS + (f64::from(WIDTH as i32 - LABELS - 60) * ratio / top) as i32;
    let title =
        format!("{part}: ratios to upstream (green: better; grey: as upstream; red: worse)");
    area.draw_text(&title, &style(&BLACK), (10, 10)).map_err(failure)?;
    for (at, bar) in bars.iter().enumerate() {
        let y = HEAD + LINE * at as i32;
        let color = match bar.better {
            Some(true) => RGBColor(46, 125, 80),
            Some(false) => RGBColor(178, 90, 60),
            None => RGBColor(150, 150, 150),
        };
        area.draw_text(&bar.label, &right(&BLACK), (LABELS - 8, y + 8)).map_err(failure)?;
        let corners = [(x(0.0), y), (x(bar.ratio), y + 14)];
        area.draw(&Rectangle::new(corners, color.filled())).map_err(failure)?;
        let spread = vec![(x(bar.low), y + 7), (x(bar.high), y + 7)];
        area.draw(&PathElement::new(spread, BLACK)).map_err(failure)?;
        let number = format!("{:.2}", bar.ratio);
        area.draw_text(&number, &style(&BLACK), (x(bar.high.max(bar.ratio)) + 6, y + 1))
            .map_err(failure)?;
    }
    let line = vec![(x(1.0), HEAD - 6), (x(1.0), height - 6)];
    area.draw(&PathElement::new(line, BLACK)).map_err(failure)?;
    area.present().map_err(failure)
}

/// What the drawing crate says.
type Failure = String;

fn failure(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, row};
    use crate::side::UPSTREAM;

    #[test]
    fn a_plot_has_a_bar_for_each_ratio_and_is_always_the_same() {
        let rows = vec![row("a <b>", "ours", &[20.0, 30.0]), row("a <b>", UPSTREAM, &[10.0, 12.0])];
        let results = results(rows);
        let svg = bars(&results, Part::Run).unwrap().unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("a &lt;b&gt;, ours") && svg.contains("2.27"), "{svg}");
        assert!(!svg.contains("upstream</text>"), "{svg}");
        assert_eq!(bars(&results, Part::Run).unwrap().unwrap(), svg);
        assert!(bars(&results, Part::Size).unwrap().is_none());
    }
}
