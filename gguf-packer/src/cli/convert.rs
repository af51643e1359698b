//! `convert`: what `CONVERT` does, by hand.

use super::args;
use super::context::{means, writable};
use super::progress::Screen;
use crate::Error;
use crate::convert::{self, Means, Request, Watch};
use crate::executor::{Event, Unit};
use crate::gguf::bytes;
use crate::language::types;

pub(super) fn run(args: &args::Convert) -> Result<(), Error> {
    let kind = check(args)?;
    let screen = Screen::new(args.progress);
    let text = format!("convert {} to {kind}", args.dir.display());
    screen.show(Event::Started { node: 0, text: &text });
    let out = std::path::absolute(&args.out).map_err(|e| Error::io("write", &args.out, &e))?;
    let request = Request { dir: &args.dir, out: &out, kind, base: args.base.as_deref() };
    let mut watch = Watch {
        step: &mut |done, total| {
            let (item, total, unit) = ("", Some(total), Unit::Bytes);
            screen.show(Event::Step { node: 0, item, done, total, unit });
        },
        note: &mut |text| screen.show(Event::Note { node: 0, text }),
        stop: &|| false,
    };
    let means = Means { by: args.by.map(Into::into), ..means()? };
    let means = Means { python: args.python.clone().or(means.python), ..means };
    convert::convert(&request, &means, &mut watch)?;
    screen.show(Event::Done { node: 0, cached: false });
    let size = std::fs::metadata(&out).map_or(0, |file| file.len());
    screen.say(&format!("{}: {}", args.out.display(), bytes(size)));
    Ok(())
}

/// The type as it is spelled; what can be told to be wrong with the words.
fn check(args: &args::Convert) -> Result<&'static str, Error> {
    let mut wrong = Vec::new();
    let kind = types::of_converted(&args.kind).map_err(|hint| {
        Error::usage(format!("a conversion has no type `{}`", args.kind)).hint(hint)
    });
    if args.class == args::Class::Model && args.base.is_some() {
        wrong.push(Error::usage("`--base` goes with an adapter").hint("--class lora"));
    }
    wrong.extend(writable(&args.out).err());
    match kind {
        Ok(kind) if wrong.is_empty() => Ok(kind),
        Ok(_) => Err(Error::all(wrong)),
        Err(error) => {
            wrong.insert(0, error);
            Err(Error::all(wrong))
        }
    }
}
