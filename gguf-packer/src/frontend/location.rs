//! Where an instruction stands, in BuildKit's words.

use super::pb::{Location, Position, Range};
use crate::language::instruction;

/// The place of an instruction.
pub(super) fn location(at: instruction::Position) -> Location {
    Location { source_index: 0, ranges: vec![range(at)] }
}

/// The place as a range of no length.
pub(super) fn range(at: instruction::Position) -> Range {
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    // BuildKit counts characters from 0.
    let place = Position { line: number(at.line), character: number(at.column.saturating_sub(1)) };
    let line = Position { line: number(at.line), character: 0 };
    Range { start: Some(place), end: Some(if place.character == 0 { line } else { place }) }
}
