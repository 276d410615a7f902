//! Charts as inline SVG: two axes with units and ticks, drawn once for wide screens and once for
//! narrow ones, so that text keeps its size on both.

mod range;

use std::fmt::{self, Write};

use super::escape;
use range::Range;

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0, evenly.
    Linear,
    /// By powers of ten; values of 0 are not drawn.
    Logarithmic,
}

/// One axis.
pub(super) struct Axis {
    /// What it shows, with its unit.
    pub(super) label: &'static str,
    /// How it spreads values.
    pub(super) scale: Scale,
    /// How a tick is labelled.
    pub(super) tick: fn(u64) -> String,
    /// Ticks at these places alone, labelled with these texts; empty chooses round values.
    pub(super) places: Vec<(u64, &'static str)>,
}

/// One line of a chart.
pub(super) struct Series {
    /// What it is.
    pub(super) name: &'static str,
    /// Its colour.
    pub(super) colour: &'static str,
    /// Its points, x ascending.
    pub(super) points: Vec<(u64, u64)>,
}

/// A chart.
pub(super) struct Chart {
    /// What it shows.
    pub(super) caption: &'static str,
    /// From left to right.
    pub(super) x: Axis,
    /// From bottom to top.
    pub(super) y: Axis,
    /// Its lines.
    pub(super) series: Vec<Series>,
    /// A level that is not to be passed, with its name.
    pub(super) level: Option<(u64, &'static str)>,
}

/// A drawing: size, and what is left free around the plot.
struct Canvas {
    class: &'static str,
    width: u64,
    height: u64,
    ticks_max: u64,
}

const WIDE: Canvas = Canvas { class: "wide", width: 760, height: 300, ticks_max: 8 };
const NARROW: Canvas = Canvas { class: "narrow", width: 340, height: 240, ticks_max: 4 };
const LEFT: u64 = 62;
const RIGHT: u64 = 18;
const TOP: u64 = 26;
const BOTTOM: u64 = 44;

impl Chart {
    /// Appends the chart; nothing where it has no point.
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return Ok(());
        }
        let x = Range::of(&self.x, points().map(|(x, _)| *x));
        let level = self.level.map(|(level, _)| level);
        let y = Range::of(&self.y, points().map(|(_, y)| *y).chain(level));
        write!(out, "<h2>{}</h2><figure>", self.caption)?;
        for canvas in [&WIDE, &NARROW] {
            self.draw(out, &Plot { canvas, x: &x, y: &y })?;
        }
        write!(out, "<figcaption>")?;
        for Series { name, colour, .. } in &self.series {
            write!(out, "<span style=\"color:{colour}\">&#9644;</span> {name} &nbsp; ")?;
        }
        if let Some((_, name)) = self.level {
            write!(out, "<span class=\"bad\">- -</span> {name}")?;
        }
        write!(out, "</figcaption></figure>")
    }

    fn draw(&self, out: &mut String, plot: &Plot<'_>) -> fmt::Result {
        let Canvas { class, width, height, .. } = *plot.canvas;
        write!(
            out,
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{}: {} over {}\">",
            self.caption, self.y.label, self.x.label
        )?;
        self.draw_ticks(out, plot)?;
        self.draw_axes(out, plot)?;
        if let Some((level, _)) = self.level {
            let (at, right) = (plot.y_of(level), plot.right());
            write!(out, "<path class=\"level\" d=\"M{LEFT} {at}H{right}\"/>")?;
        }
        for series in &self.series {
            series.draw(out, plot)?;
        }
        write!(out, "</svg>")
    }

    /// A grid line at each tick of the y axis, a mark at each tick of the x axis, and their texts.
    fn draw_ticks(&self, out: &mut String, plot: &Plot<'_>) -> fmt::Result {
        let (right, bottom) = (plot.right(), plot.bottom());
        for (value, text) in plot.y.ticks(&self.y, 5) {
            let at = plot.y_of(value);
            write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at}H{right}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 6,
                at + 4,
                escape(&text)
            )?;
        }
        for (value, text) in plot.x.ticks(&self.x, plot.canvas.ticks_max) {
            let at = plot.x_of(value);
            write!(
                out,
                "<path class=\"axis\" d=\"M{at} {bottom}v5\"/>\
                 <text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18,
                escape(&text)
            )?;
        }
        Ok(())
    }

    fn draw_axes(&self, out: &mut String, plot: &Plot<'_>) -> fmt::Result {
        let (right, bottom) = (plot.right(), plot.bottom());
        write!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
             <text class=\"label\" x=\"4\" y=\"14\">{}</text>\
             <text class=\"label\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            self.y.label,
            plot.canvas.height - 6,
            self.x.label
        )
    }
}

/// Where values lie on a canvas.
struct Plot<'a> {
    canvas: &'a Canvas,
    x: &'a Range,
    y: &'a Range,
}

impl Plot<'_> {
    /// The right end of the x axis.
    fn right(&self) -> u64 {
        self.canvas.width - RIGHT
    }

    /// Where the x axis lies, from the top.
    fn bottom(&self) -> u64 {
        self.canvas.height - BOTTOM
    }

    fn x_of(&self, value: u64) -> u64 {
        LEFT + self.x.place(value, self.right() - LEFT)
    }

    fn y_of(&self, value: u64) -> u64 {
        self.bottom() - self.y.place(value, self.bottom() - TOP)
    }
}

impl Series {
    /// Draws the line, interrupted where a value cannot be drawn, with a mark at each of few points.
    fn draw(&self, out: &mut String, plot: &Plot<'_>) -> fmt::Result {
        let y_of = |value| plot.y.is_drawn(value).then(|| plot.y_of(value));
        let places = || self.points.iter().map(|(at, value)| (plot.x_of(*at), y_of(*value)));
        write!(out, "<path class=\"line\" stroke=\"{}\" d=\"", self.colour)?;
        let mut is_down = false;
        for (x, y) in places() {
            if let Some(y) = y {
                write!(out, "{}{x} {y}", if is_down { 'L' } else { 'M' })?;
            }
            is_down = y.is_some();
        }
        write!(out, "\"/>")?;
        if self.points.len() <= MARKED_MAX {
            for (x, y) in places() {
                let Some(y) = y else { continue };
                write!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{}\"/>", self.colour)?;
            }
        }
        Ok(())
    }
}

/// With more points than these a line has no marks.
const MARKED_MAX: usize = 40;
