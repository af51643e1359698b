//! What is said in the end: one line and an exit code.

use std::fmt;

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// And why.
    Healthy(String),
    /// Not healthy yet, and nothing is wrong; and why.
    Starting(String),
    /// And why.
    Unhealthy(String),
}

impl Verdict {
    pub(crate) fn loading() -> Self {
        Self::Starting("the model is loading".to_owned())
    }

    pub(crate) fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy(_))
    }

    /// The same when `gpu` says which GPU there is, if there has to be one, or why there is none.
    pub(crate) fn with_gpu(self, gpu: Result<Option<String>, String>, is_required: bool) -> Self {
        let Self::Healthy(text) = self else { return self };
        match gpu {
            Ok(Some(gpu)) => Self::Healthy(format!("{text}, with {gpu}")),
            Ok(None) if is_required => Self::Unhealthy(format!(
                "{text}, but LLAMA_REQUIRE_GPU=1 and this variant only uses the CPU"
            )),
            Ok(None) => Self::Healthy(text),
            Err(why) if is_required => {
                Self::Unhealthy(format!("{text}, but LLAMA_REQUIRE_GPU=1 and {why}"))
            }
            Err(why) => Self::Healthy(format!("{text}, on the CPU: {why}")),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Self::Healthy(why) => format!("healthy: {why}"),
            Self::Starting(why) => format!("starting: {why}"),
            Self::Unhealthy(why) => format!("unhealthy: {why}"),
        };
        // Docker shows it, and what a server answers can have any form.
        f.write_str(&line.replace(['\n', '\r'], " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_only_required_when_somebody_says_so() {
        let with = |gpu, is_required| {
            Verdict::Healthy("it answers".into()).with_gpu(gpu, is_required).to_string()
        };
        let gpu = || Ok(Some("1 AMD GPU".to_owned()));
        let none = || Err("/dev/kfd not found".to_owned());
        assert_eq!(with(gpu(), false), "healthy: it answers, with 1 AMD GPU");
        assert_eq!(with(gpu(), true), "healthy: it answers, with 1 AMD GPU");
        assert_eq!(with(none(), false), "healthy: it answers, on the CPU: /dev/kfd not found");
        assert_eq!(
            with(none(), true),
            "unhealthy: it answers, but LLAMA_REQUIRE_GPU=1 and /dev/kfd not found"
        );
        assert_eq!(with(Ok(None), false), "healthy: it answers");
        assert_eq!(
            with(Ok(None), true),
            "unhealthy: it answers, but LLAMA_REQUIRE_GPU=1 and this variant only uses the CPU"
        );
    }

    #[test]
    fn a_gpu_makes_nothing_better() {
        let gpu = Ok(Some("1 AMD GPU".to_owned()));
        let verdict = Verdict::loading().with_gpu(gpu, false);
        assert_eq!(verdict.to_string(), "starting: the model is loading");
        assert!(!verdict.is_healthy());
    }

    #[test]
    fn it_is_one_line() {
        let verdict = Verdict::Unhealthy("answers 500: a\r\nb\n".into());
        assert_eq!(verdict.to_string(), "unhealthy: answers 500: a  b ");
    }
}
