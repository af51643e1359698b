//! Every option of llama-server, those of the pin and those of 2024: what follows it, and what it decides about. An
//! option that is missing here does not pass from an image to a server on this machine.

use super::{Form, Role, is_scale, scale_of};

/// What `on`, `off` and `auto` may be called.
pub(crate) const SWITCH: [&str; 10] =
    ["on", "off", "auto", "enabled", "disabled", "true", "false", "1", "0", "-1"];

/// What an option decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The model: how it computes, and how it answers.
    Model,
    /// The address: where the server listens.
    Address,
    /// The machine: files that are written or served, keys, downloads, other machines, programs, the web page.
    Machine,
}

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// So many values.
    Values(usize),
    /// A whole number.
    Number,
    /// `on`, `off` or `auto`; in 2024 nothing.
    Switch,
    /// A file.
    File(Role, Form),
}

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) takes: Takes,
    pub(crate) about: About,
}

const FLAG: Takes = Takes::Values(0);
const VALUE: Takes = Takes::Values(1);
const NUMBER: Takes = Takes::Number;
const TEXT: Takes = Takes::File(Role::Text, Form::One);
const KEPT_HERE: Takes = Takes::File(Role::Runtime, Form::One);

/// One row for what follows and what is decided, with all its options.
const OPTIONS: &[(About, Takes, &str)] = &[
    // The files of a model.
    (About::Model, Takes::File(Role::Model, Form::One), "-m --model"),
    (About::Model, Takes::File(Role::Drafter, Form::One), "-md --model-draft --spec-draft-model"),
    (About::Model, Takes::File(Role::Projector, Form::One), "-mm --mmproj"),
    (About::Model, Takes::File(Role::Adapter, Form::List), "--lora --control-vector"),
    (
        About::Model,
        Takes::File(Role::Adapter, Form::Scaled),
        "--lora-scaled --control-vector-scaled",
    ),
    (
        About::Model,
        TEXT,
        "--chat-template-file --grammar-file -spf -sysf --system-prompt-file -jf \
         --json-schema-file -lcs --lookup-cache-static --tts-speaker-file",
    ),
    (
        About::Model,
        FLAG,
        "--swa-full --perf --no-perf -e --escape --no-escape -kvo --kv-offload -nkvo \
         --no-kv-offload --repack -nr --no-repack --no-host -cmoe --cpu-moe --check-tensors \
         --op-offload --no-op-offload --log-disable --log-jsonl --no-log-jsonl -v --verbose \
         --log-verbose --offline --log-prefix --no-log-prefix --log-timestamps \
         --no-log-timestamps --ignore-eos -bs --backend-sampling -kvu --kv-unified -no-kvu \
         --no-kv-unified --cache-idle-slots --no-cache-idle-slots --context-shift \
         --no-context-shift -sp --special --warmup --no-warmup --spm-infill -cb --cont-batching \
         -nocb --no-cont-batching --mmproj-auto --no-mmproj --no-mmproj-auto --mmproj-offload \
         --no-mmproj-offload --no-ui --no-webui --embedding --embeddings --rerank --reranking \
         --cache-prompt --no-cache-prompt --no-slots --jinja --no-jinja --reasoning-preserve \
         --no-reasoning-preserve --skip-chat-parsing --no-skip-chat-parsing --prefill-assistant \
         --no-prefill-assistant --lora-init-without-apply --spec-draft-cpu-moe -cmoed \
         --cpu-moe-draft --spec-draft-backend-sampling --no-spec-draft-backend-sampling \
         --spec-default",
    ),
    (About::Model, Takes::Switch, "-fa --flash-attn --log-colors"),
    (About::Model, Takes::Values(2), "--control-vector-layer-range --spec-replace"),
    // Threads, memory, devices.
    (
        About::Model,
        NUMBER,
        "-t --threads -tb --threads-batch --cpu-strict-batch --poll-batch -c --ctx-size -n \
         --predict --n-predict -b --batch-size -ub --ubatch-size --keep --yarn-orig-ctx -ncmoe \
         --n-cpu-moe --moe-cache-mib -ncffn --n-cpu-ffn -mg --main-gpu -fitc --fit-ctx -lv \
         --verbosity --log-verbosity --kv-unified-per-slot -ctxcp --ctx-checkpoints \
         --swa-checkpoints -cms --checkpoint-min-step -cram --cache-ram -np --parallel \
         --image-min-tokens --image-max-tokens --mtmd-batch-max-tokens \
         --video-timestamp-interval -to --timeout --sse-ping-interval --threads-http \
         --cache-reuse --sleep-idle-seconds",
    ),
    (
        About::Model,
        VALUE,
        "-C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll -Cb --cpu-mask-batch -Crb \
         --cpu-range-batch --prio-batch --rope-scaling --rope-scale --rope-freq-base \
         --rope-freq-scale --yarn-ext-factor --yarn-attn-factor --yarn-beta-slow \
         --yarn-beta-fast -ctk --cache-type-k -ctv --cache-type-v -lm --load-mode -lzm \
         --lazy-mode --numa -dev --device -ot --override-tensor -ngl --gpu-layers \
         --n-gpu-layers -sm --split-mode -ts --tensor-split -fit --fit -fitt --fit-target \
         --override-kv -mmdev --mmproj-device --video-fps -sps --slot-prompt-similarity",
    ),
    // What it answers.
    (
        About::Model,
        NUMBER,
        "--top-k --repeat-last-n --dry-allowed-length --dry-penalty-last-n --mirostat \
         --embd-normalize --reasoning-budget",
    ),
    (
        About::Model,
        VALUE,
        "--samplers -s --seed --sampler-seq --sampling-seq --temp --temperature --top-p \
         --min-p --top-nsigma --top-n-sigma --xtc-probability --xtc-threshold --typical \
         --typical-p --repeat-penalty --presence-penalty --frequency-penalty --dry-multiplier \
         --dry-base --dry-sequence-breaker --adaptive-target --adaptive-decay --dynatemp-range \
         --dynatemp-exp --mirostat-lr --mirostat-ent -l --logit-bias --grammar -j \
         --json-schema -r --reverse-prompt --pooling -a --alias --tags --chat-template-kwargs \
         --reasoning-format -rea --reasoning --reasoning-effort --reasoning-budget-message \
         --chat-template",
    ),
    // Guessing ahead.
    (
        About::Model,
        NUMBER,
        "--spec-draft-threads -td --threads-draft --spec-draft-threads-batch -tbd \
         --threads-batch-draft --spec-draft-cpu-strict --cpu-strict-draft --spec-draft-poll \
         --poll-draft --spec-draft-cpu-strict-batch --cpu-strict-batch-draft \
         --spec-draft-poll-batch --poll-batch-draft --spec-draft-n-cpu-moe --spec-draft-ncmoe \
         -ncmoed --n-cpu-moe-draft --spec-draft-n-max --spec-draft-n-min \
         --spec-ngram-mod-n-min --spec-ngram-mod-n-max --spec-ngram-mod-n-match \
         --spec-ngram-simple-size-n --spec-ngram-simple-size-m --spec-ngram-simple-min-hits \
         --spec-ngram-map-k-size-n --spec-ngram-map-k-size-m --spec-ngram-map-k-min-hits \
         --spec-ngram-map-k4v-size-n --spec-ngram-map-k4v-size-m --spec-ngram-map-k4v-min-hits \
         --draft --draft-n --draft-max --draft-min --draft-n-min --spec-ngram-size-n \
         --spec-ngram-size-m --spec-ngram-min-hits",
    ),
    (
        About::Model,
        VALUE,
        "--spec-draft-type-k -ctkd --cache-type-k-draft --spec-draft-type-v -ctvd \
         --cache-type-v-draft --spec-draft-cpu-mask -Cd --cpu-mask-draft \
         --spec-draft-cpu-range -Crd --cpu-range-draft --spec-draft-prio --prio-draft \
         --spec-draft-cpu-mask-batch -Cbd --cpu-mask-batch-draft --spec-draft-prio-batch \
         --prio-batch-draft --spec-draft-override-tensor -otd --override-tensor-draft \
         --spec-synth-len --spec-synth-rates --spec-draft-p-split --draft-p-split \
         --spec-draft-p-min --draft-p-min --spec-draft-sampling --spec-draft-device -devd \
         --device-draft --spec-draft-ngl -ngld --gpu-layers-draft --n-gpu-layers-draft \
         --spec-type",
    ),
    // Options of 2024, which do nothing today or have another name.
    (
        About::Model,
        FLAG,
        "--mlock --mmap --no-mmap -dio --direct-io -ndio --no-direct-io \
         --slots-endpoint-disable --penalize-nl --no-penalize-nl -dkvc --dump-kv-cache \
         --verbose-prompt --memory-f32 --no-mul-mat-q -nommq --mul-mat-q -mmq \
         --tts-use-guide-tokens",
    ),
    (About::Model, NUMBER, "-gan --grp-attn-n -gaw --grp-attn-w -cd --ctx-size-draft"),
    (About::Model, VALUE, "-ps --p-split --log-format --tfs -dt --defrag-thold -p --prompt"),
    (About::Address, FLAG, "--reuse-port"),
    (About::Address, NUMBER, "--port"),
    (About::Address, VALUE, "--host --api-prefix"),
    // Files of an image that open the server, make it start programs, or are written.
    (
        About::Machine,
        TEXT,
        "--ui-config-file --webui-config-file --mcp-servers-config --models-preset",
    ),
    (
        About::Machine,
        KEPT_HERE,
        "-lcd --lookup-cache-dynamic --api-key-file --ssl-key-file --ssl-cert-file",
    ),
    (About::Machine, NUMBER, "--models-max"),
    (
        About::Machine,
        VALUE,
        "--rpc -mu --model-url -dr --docker-repo -hf -hfr --hf-repo -hff --hf-file -hft \
         --hf-token --spec-draft-hf -hfd -hfrd --hf-repo-draft -mmu --mmproj-url --log-file \
         --video-ffmpeg-dir --path --cors-origins --cors-methods --cors-headers --ui-config \
         --webui-config --tools --tools-runtime --mcp-servers-json --api-key --slot-save-path \
         --media-path --models-dir --log-prompts-dir",
    ),
    (
        About::Machine,
        FLAG,
        "-h --help --usage --version -cl --cache-list --completion-bash --list-devices \
         --cors-credentials --no-cors-credentials --ui-mcp-proxy --webui-mcp-proxy \
         --no-ui-mcp-proxy --no-webui-mcp-proxy -ag --agent -no-ag --no-agent --ui --webui \
         --metrics --props --slots --models-autoload --no-models-autoload --embd-gemma-default \
         --fim-qwen-1.5b-default --fim-qwen-3b-default --fim-qwen-7b-default --fim-qwen-7b-spec \
         --fim-qwen-14b-spec --fim-qwen-30b-default --gpt-oss-20b-default --gpt-oss-120b-default \
         --vision-gemma-4b-default --vision-gemma-12b-default --log-enable --log-new \
         --log-append",
    ),
    (
        About::Machine,
        VALUE,
        "-ld --logdir -f --file -bf --binary-file --lora-base -mv --model-vocoder -hfv -hfrv \
         --hf-repo-v -hffv --hf-file-v",
    ),
];

/// An option as llama-server reads it: `--ctx_size` is `--ctx-size`.
pub(super) fn name(word: &str) -> String {
    if word.starts_with("--") { word.replace('_', "-") } else { word.to_owned() }
}

/// What the table says of an option. Another option that ends with `-file` names a file of this machine.
pub(crate) fn find(option: &str) -> Option<Known> {
    let option = name(option);
    let is = |names: &str| names.split_ascii_whitespace().any(|name| name == option);
    if let Some(&(about, takes, _)) = OPTIONS.iter().find(|(.., names)| is(names)) {
        return Some(Known { takes, about });
    }
    let file = option.starts_with('-') && option.ends_with("-file");
    file.then_some(Known { takes: KEPT_HERE, about: About::Machine })
}

impl Takes {
    /// How many of the words that follow belong to the option. They may be more than there are.
    pub(super) fn count(self, rest: &[String]) -> usize {
        match self {
            Self::Values(count) => count,
            Self::Number => 1,
            Self::Switch => {
                usize::from(rest.first().is_some_and(|word| SWITCH.contains(&word.as_str())))
            }
            Self::File(_, Form::Scaled) => match rest {
                [file, scale, ..] if scale_of(file).is_none() && is_scale(scale) => 2,
                _ => 1,
            },
            Self::File(..) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_stands_twice() {
        let mut names: Vec<&str> =
            OPTIONS.iter().flat_map(|(.., names)| names.split_ascii_whitespace()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    /// A new option of a new pin fails here, so that a person decides about it.
    #[test]
    fn every_option_of_the_pin_is_known_and_takes_as_many_values() {
        let page =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../vendor/llama.cpp/tools/server/README.md");
        let page = std::fs::read_to_string(page).expect("first: cargo xtask vendor");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `-")?.split_once("` |"));
        let (mut seen, mut wrong) = (0, Vec::new());
        for (options, _) in rows {
            let options = format!("-{options}");
            let value = options.split(", ").find_map(|option| Some(option.split_once(' ')?.1));
            let values = value.map_or(0, |value| if value == "START END" { 2 } else { 1 });
            for option in options.split(", ") {
                let option = option.split(' ').next().unwrap_or(option);
                let takes = find(option).map(|known| match known.takes {
                    Takes::Values(count) => count,
                    Takes::Number | Takes::Switch | Takes::File(..) => 1,
                });
                seen += 1;
                if takes != Some(values) {
                    wrong.push(format!("{option}: {takes:?}, not {values}"));
                }
            }
        }
        assert!(wrong.is_empty() && seen > 400, "{seen} options, of which wrong: {wrong:#?}");
    }

    /// llama.cpp reads these with `std::stoi`, which takes `32k` for 32.
    #[test]
    fn every_option_that_the_pin_reads_as_an_int_takes_a_number() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../vendor/llama.cpp/common/arg.cpp");
        let source = std::fs::read_to_string(source).expect("first: cargo xtask vendor");
        let (mut seen, mut wrong) = (0, Vec::new());
        for option in source.split("add_opt(common_arg(").skip(1) {
            let names = option.split('}').next().unwrap_or_default();
            let is_int = ["int value)", "int /*value*/)"].iter().any(|end| option.contains(end));
            for name in names.split('"').filter(|name| name.starts_with('-')) {
                let Some(known) = find(name) else { continue };
                seen += usize::from(is_int);
                if is_int != (known.takes == Takes::Number) {
                    wrong.push(name);
                }
            }
        }
        assert!(wrong.is_empty() && seen > 80, "{seen} options, of which wrong: {wrong:#?}");
    }
}
