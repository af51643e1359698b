//! Tables: that of `list`, which is the document's, and plain ones.

use super::output::cell;
use crate::gguf::{bytes, quantizer_name};
use crate::store::ListedImage;

/// Between two columns, and before the first one.
const GAP: &str = "  ";

/// What a name is cut to at least, when there is too little room.
const SHORTEST: usize = 12;

/// The columns, in their order.
const COLUMNS: [&str; 10] =
    ["NAME", "TAG", "ID", "ARCH", "PARAMS", "BPW", "TYPE", "USAGE", "CREATED", "SIZE"];

/// The columns that a narrow terminal can do without, the first one first.
const SPARE: [&str; 6] = ["USAGE", "BPW", "TYPE", "ARCH", "CREATED", "PARAMS"];

/// The table of `images` at the time `now`, in seconds since 1970.
///
/// With a `width` it leaves out columns, and cuts names, until it fits; IDs are never cut.
#[must_use]
pub(super) fn list(
    images: &[ListedImage],
    now: u64,
    full_id: bool,
    width: Option<usize>,
) -> String {
    let rows: Vec<_> = images
        .iter()
        .map(|image| row(image, now, full_id).map(|text| cell(&text).into()))
        .collect();
    let mut columns: Vec<Column> =
        COLUMNS.iter().enumerate().map(|(at, title)| Column::new(title, at, &rows)).collect();
    if let Some(width) = width {
        fit(&mut columns, width);
    }
    let mut lines = vec![line(columns.iter().map(Column::head))];
    lines.extend(
        rows.iter().map(|row| line(columns.iter().map(|column| column.cell(&row[column.at])))),
    );
    lines.concat()
}

/// Rows of cells, each column as wide as its widest cell; the first row may be the head.
#[must_use]
pub(super) fn grid<const N: usize>(rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|text| cell(text).into())).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let padded = |row: &[String; N], at: usize| format!("{:<1$}", row[at], width(at));
    rows.iter().map(|row| line((0..N).map(|at| padded(row, at)))).collect()
}

/// How long ago `then` was at `now`, both in seconds, in words.
#[must_use]
pub(super) fn ago(then: u64, now: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const WEEK: u64 = 7 * DAY;
    const MONTH: u64 = 30 * DAY;
    const YEAR: u64 = 12 * MONTH;
    let passed = now.abs_diff(then);
    let (unit, name) = match passed {
        0 => return "now".to_owned(),
        _ if passed < MINUTE => (1, "second"),
        _ if passed < HOUR => (MINUTE, "minute"),
        _ if passed < DAY => (HOUR, "hour"),
        _ if passed < WEEK => (DAY, "day"),
        _ if passed < MONTH => (WEEK, "week"),
        _ if passed < YEAR => (MONTH, "month"),
        _ if passed < 37 * YEAR => (YEAR, "year"),
        _ => return format!("a long time {}", if then > now { "from now" } else { "ago" }),
    };
    let count = passed / unit;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural} {}", if then > now { "from now" } else { "ago" })
}

fn row(image: &ListedImage, now: u64, full_id: bool) -> [String; 10] {
    let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
    let said = &image.summary;
    [
        or(&image.name, "<none>"),
        or(&image.tag, "<none>"),
        if full_id { image.id.hex() } else { image.id.short() },
        or(&said.architecture, ""),
        or(&said.parameters, ""),
        or(&said.bits_per_weight, ""),
        said.file_type.as_deref().map_or("", quantizer_name).to_owned(),
        or(&said.usage, "unknown"),
        said.created.map_or("unknown".to_owned(), |created| ago(created, now)),
        bytes(said.size),
    ]
}

struct Column {
    title: &'static str,
    at: usize,
    width: usize,
}

impl Column {
    fn new(title: &'static str, at: usize, rows: &[[String; 10]]) -> Self {
        let widest = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        Self { title, at, width: widest.max(title.len()) }
    }

    /// The title in the middle.
    fn head(&self) -> String {
        format!("{:^1$}", self.title, self.width)
    }

    /// The text at the left.
    fn cell(&self, text: &str) -> String {
        let long = text.chars().count() > self.width;
        let cut: String = text.chars().take(self.width.saturating_sub(1)).chain(['…']).collect();
        format!("{:<1$}", if long { &cut } else { text }, self.width)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let line: String = cells.map(|cell| format!("{GAP}{cell}")).collect();
    format!("{}\n", line.trim_end())
}

fn fit(columns: &mut Vec<Column>, width: usize) {
    let whole =
        |columns: &[Column]| columns.iter().map(|column| GAP.len() + column.width).sum::<usize>();
    for title in SPARE {
        if whole(columns) > width {
            columns.retain(|column| column.title != title);
        }
    }
    while whole(columns) > width {
        let names = columns.iter_mut().filter(|column| ["NAME", "TAG"].contains(&column.title));
        match names.filter(|column| column.width > SHORTEST).max_by_key(|column| column.width) {
            Some(column) => column.width -= 1,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::store::Summary;

    fn qwen(tag: &str, id: &str, created: u64, size: u64, said: [&str; 2]) -> ListedImage {
        ListedImage {
            name: Some("example/qwen2".to_owned()),
            tag: Some(tag.to_owned()),
            id: Digest::from_hex(&format!("{id:0<64}")).unwrap(),
            summary: Summary {
                architecture: Some("qwen2".to_owned()),
                parameters: Some("494.03 M".to_owned()),
                bits_per_weight: Some(said[0].to_owned()),
                file_type: Some(said[1].to_owned()),
                usage: Some("text-to-text".to_owned()),
                created: Some(created),
                size,
            },
        }
    }

    fn both() -> Vec<ListedImage> {
        let four = ["6.35 bpw", "IQ2_XXS/Q4_K_M"];
        let five = ["6.71 bpw", "IQ3_XXS/Q5_K_M"];
        vec![
            qwen("0.5b-instruct-q4-k-m-demo", "a0d46ab8fd9f", 10_660, 397_808_768, four),
            qwen("0.5b-instruct-q5-k-m-demo", "269bac3c0e20", 10_000, 420_080_517, five),
        ]
    }

    #[test]
    fn the_table_is_that_of_the_document_with_the_quantizer_s_types() {
        let expected = r"
      NAME                  TAG                  ID       ARCH    PARAMS     BPW      TYPE      USAGE         CREATED         SIZE
  example/qwen2  0.5b-instruct-q4-k-m-demo  a0d46ab8fd9f  qwen2  494.03 M  6.35 bpw  Q4_K_M  text-to-text  19 minutes ago  379.38 MiB
  example/qwen2  0.5b-instruct-q5-k-m-demo  269bac3c0e20  qwen2  494.03 M  6.71 bpw  Q5_K_M  text-to-text  30 minutes ago  400.62 MiB
";
        assert_eq!(list(&both(), 11_800, false, None), expected[1..]);
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_then_shorter_names() {
        let expected = r"
      NAME                  TAG                  ID        PARAMS      SIZE
  example/qwen2  0.5b-instruct-q4-k-m-demo  a0d46ab8fd9f  494.03 M  379.38 MiB
  example/qwen2  0.5b-instruct-q5-k-m-demo  269bac3c0e20  494.03 M  400.62 MiB
";
        assert_eq!(list(&both(), 11_800, false, Some(80)), expected[1..]);
        let wide = list(&both(), 11_800, true, Some(80));
        assert!(wide.contains(&both()[0].id.hex()), "{wide}");
        let narrow = list(&both(), 11_800, false, Some(60));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        assert!(
            narrow.contains("  example/qwen2  0.5b-instruct-q4…  a0d46ab8fd9f  379.38 MiB\n"),
            "{narrow}"
        );
    }

    #[test]
    fn an_image_that_says_nothing_has_its_row() {
        let plain = ListedImage {
            name: None,
            tag: None,
            id: Digest::from_hex(&"0".repeat(64)).unwrap(),
            summary: Summary { size: 5, ..Summary::default() },
        };
        let expected = r"
   NAME    TAG         ID       ARCH  PARAMS  BPW  TYPE   USAGE   CREATED  SIZE
  <none>  <none>  000000000000                           unknown  unknown  5 B
";
        assert_eq!(list(&[plain], 0, false, None), expected[1..]);
        let expected = "  NAME  TAG  ID  ARCH  PARAMS  BPW  TYPE  USAGE  CREATED  SIZE\n";
        assert_eq!(list(&[], 0, false, None), expected);
    }

    #[test]
    fn no_cell_moves_the_cursor() {
        let mut image = both().remove(0);
        image.summary.architecture = Some("\u{1b}[31mred\n\u{7}".to_owned());
        image.summary.usage = Some("\u{202e}".to_owned());
        let table = list(&[image], 11_800, false, None);
        assert!(table.contains("  \\u001b[31mred\\u000a\\u0007  494.03 M  "), "{table}");
        assert!(table.contains("  \\u202e  19 minutes ago  "), "{table}");
        assert_eq!(table.lines().count(), 2);
        let rows = ["a\tb\u{9b}", "c"].map(|text| [text.to_owned(), "|".to_owned()]);
        assert_eq!(grid(&rows), "  a\\u0009b\\u009b  |\n  c               |\n");
    }

    #[test]
    fn times_are_words() {
        for (passed, words) in [
            (0, "now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (119, "1 minute ago"),
            (19 * 60, "19 minutes ago"),
            (3600, "1 hour ago"),
            (47 * 3600, "1 day ago"),
            (20 * 86400, "2 weeks ago"),
            (45 * 86400, "1 month ago"),
            (800 * 86400, "2 years ago"),
            (20_000 * 86400, "a long time ago"),
        ] {
            assert_eq!(ago(2_000_000_000 - passed, 2_000_000_000), words);
        }
        assert_eq!(ago(120, 0), "2 minutes from now");
    }

    #[test]
    fn a_list_is_json_too() {
        let parsed: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&both()).unwrap()).unwrap();
        assert_eq!(parsed[0]["tag"], "0.5b-instruct-q4-k-m-demo");
        assert_eq!(parsed[1]["size"], 420_080_517);
        assert_eq!(parsed[1]["file_type"], "IQ3_XXS/Q5_K_M");
    }
}
