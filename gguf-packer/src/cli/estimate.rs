//! `estimate`: what a model takes, and what fits.

use std::path::Path;

use super::estimate_args::{Estimate as Args, Switch, footprint};
use super::progress::Screen;
use super::run::checked;
use super::{Context, list, output, remote};
use crate::Error;
use crate::estimate::planner::Fit;
use crate::estimate::{Cards, Metric, Package, Question, estimate};
use crate::run::Target;

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let fit = args.fit == Some(Switch::On);
    let cards = if fit && args.gpus.is_empty() { Cards::Here } else { Cards::named(&args.gpus)? };
    let metrics: Vec<Metric> =
        args.device_metrics.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let footprint = footprint(&args.platform_footprint)?;
    let package = package(args, context)?;
    let options = args.options();
    let question = Question {
        options: &options,
        cards: &cards,
        fit,
        step: args.gpu_layers_step,
        footprint,
        metrics: &metrics,
    };
    let estimate = estimate(&package, &question)?;
    if args.json {
        return output::json(&estimate.json());
    }
    output::print(&estimate.table(args.in_short, list::width()))?;
    output::print(&estimate.earlier_prompts())?;
    match estimate.fit() {
        Some(fit) => output::print(&advice(&args.model, &cards, checked(fit)?)),
        None => Ok(()),
    }
}

/// The model, of which the weights may be elsewhere.
fn package(args: &Args, context: &Context) -> Result<Package, Error> {
    let model = &args.model;
    let screen = Screen::new(args.remote.progress);
    if model.starts_with("https://") || model.starts_with("http://") {
        let client = remote::client(args.remote.insecure)?;
        return Package::remote(&client.peek_file(model, &|event| screen.transfer(event))?);
    }
    let file = Path::new(model);
    if super::run::is_path(model) && file.is_file() {
        return Package::here(&Target::file(file)?);
    }
    let name = remote::pullable(model);
    let elsewhere = model.starts_with("hf://");
    if super::run::is_path(model) && !elsewhere {
        return Err(Error::new(format!("file not found: `{model}`")));
    }
    let store = context.store_to_read()?;
    match (store.find(model), name) {
        (Ok(image), _) if !args.force => {
            let name = super::run::name(&image, model);
            Package::here(&super::run::target(&image, &name)?)
        }
        (_, Some(name)) => {
            let client = remote::client(args.remote.insecure)?;
            Package::remote(&client.peek(&name, None, &|event| screen.transfer(event))?)
        }
        (Ok(_), None) => Err(Error::usage(format!("`{model}` is not a valid image name"))),
        (Err(error), None) => Err(error),
    }
}

/// What to type.
fn advice(model: &str, cards: &Cards, fit: &Fit) -> String {
    if fit.arguments.is_empty() {
        return "the model fits without changes\n".to_owned();
    }
    let options = fit.arguments.join(" ");
    let start = match cards {
        Cards::Here => format!("gguf-packer run --fit {model}"),
        _ => format!("gguf-packer run {model} -- {options}"),
    };
    let named = fit.arguments.iter().any(|word| word.contains("GPU"));
    let names = if named {
        "\nGPU0 stands for your first GPU; to see its name: llama-server --list-devices"
    } else {
        ""
    };
    let small = if fit.arguments.iter().any(|word| word == "--device") {
        "\n--device leaves out each GPU whose memory is too small for the buffers of the model"
    } else {
        ""
    };
    format!("the model fits with: {options}\nto start it:  {start}{small}{names}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(status: &str, arguments: &str) -> Fit {
        let arguments = arguments.split_whitespace().map(str::to_owned).collect();
        Fit { status: status.to_owned(), arguments }
    }

    #[test]
    fn what_fits_can_be_typed() {
        let found = fit("fits", "--ctx-size 8192 --gpu-layers 25");
        let text = advice("q/m:1", &Cards::Any, checked(&found).unwrap());
        let expected = "the model fits with: --ctx-size 8192 --gpu-layers 25\nto start it:  \
            gguf-packer run q/m:1 -- --ctx-size 8192 --gpu-layers 25\n";
        assert_eq!(text, expected);
        let text = advice("q/m:1", &Cards::Here, &found);
        assert!(text.ends_with("to start it:  gguf-packer run --fit q/m:1\n"), "{text}");
        let text = advice("m", &Cards::Any, &fit("fits", "--device none"));
        assert!(text.contains("run m -- --device none\n--device leaves out each GPU "), "{text}");
        let text = advice("m", &Cards::Any, &fit("fits", "--override-tensor x=GPU1"));
        assert!(text.contains("--list-devices"), "{text}");
        assert_eq!(advice("m", &Cards::Here, &fit("fits", "")), "the model fits without changes\n");
        let error = checked(&fit("cannot", "")).unwrap_err().to_string();
        assert!(error.starts_with("the model does not fit, "), "{error}");
        assert!(checked(&fit("error", "")).is_err());
    }
}
