//! llama-server's options that reach out of the process, one table: what each names, reads, writes or
//! starts. `tests/it/sandbox.rs` holds it against `llama-server --help`.

use std::ffi::OsString;

/// What an option makes the server do outside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reads the model that it names. Without one the server is a router.
    Model,
    /// Reads files or folders, divided by commas, each perhaps with `:SCALE`.
    Read,
    /// Reads the key of TLS.
    TlsKey,
    /// Reads the certificate of TLS.
    TlsCert,
    /// Reads a projector; then fetches pictures by URL and starts ffmpeg where there is one.
    Media,
    /// Reads a file of further options, whose servers this one starts.
    Presets,
    /// Writes a file.
    WriteFile,
    /// Reads and writes in a folder, which must be there.
    WriteFolder,
    /// The same in a folder that is made.
    MakeFolder,
    /// Downloads into the cache; the download can be a file of presets.
    Download,
    /// Downloads into the cache, or to the place that another option names.
    Url,
    /// Connects to others.
    Connect,
    /// Starts programs, in and on the current folder.
    Programs,
    /// Names the folder of ffmpeg.
    Ffmpeg,
    /// Lists devices and ends: without a model it is no router either.
    Devices,
    /// Listens there.
    Host,
    /// Listens there.
    Port,
    /// Nothing, though its help sounds like it.
    Nothing,
}

/// An option: all its names, its variable or "", whether a value follows, what it does.
pub(crate) type Row = (&'static [&'static str], &'static str, bool, Use);

/// The port where no option names one.
pub(crate) const DEFAULT_PORT: u16 = 9931;

/// With one of these the server prints something and ends.
const PRINTS: [&str; 7] =
    ["-h", "--help", "--usage", "--version", "-cl", "--cache-list", "--completion-bash"];

/// Whether the server only prints a text about itself.
pub(crate) fn only_prints(args: &[OsString]) -> bool {
    args.iter().skip(1).any(|arg| PRINTS.iter().any(|option| arg == option))
}

/// <https://github.com/ggml-org/llama.cpp/blob/b11549/common/arg.cpp>
#[rustfmt::skip]
pub(crate) const OPTIONS: &[Row] = &[
    (&["-m", "--model"], "LLAMA_ARG_MODEL", true, Use::Model),
    (&["-mm", "--mmproj"], "LLAMA_ARG_MMPROJ", true, Use::Media),
    (&["--spec-draft-model", "-md", "--model-draft"], "LLAMA_ARG_SPEC_DRAFT_MODEL", true, Use::Read),
    (&["--lora"], "", true, Use::Read),
    (&["--lora-scaled"], "", true, Use::Read),
    (&["--control-vector"], "", true, Use::Read),
    (&["--control-vector-scaled"], "", true, Use::Read),
    (&["-lcs", "--lookup-cache-static"], "", true, Use::Read),
    (&["-lcd", "--lookup-cache-dynamic"], "", true, Use::Read),
    (&["--grammar-file"], "", true, Use::Read),
    (&["-jf", "--json-schema-file"], "", true, Use::Read),
    (&["--chat-template-file"], "LLAMA_ARG_CHAT_TEMPLATE_FILE", true, Use::Read),
    (&["--path"], "LLAMA_ARG_STATIC_PATH", true, Use::Read),
    (&["--ui-config-file", "--webui-config-file"], "LLAMA_ARG_UI_CONFIG_FILE", true, Use::Read),
    (&["--api-key-file"], "LLAMA_ARG_API_KEY_FILE", true, Use::Read),
    (&["--ssl-key-file"], "LLAMA_ARG_SSL_KEY_FILE", true, Use::TlsKey),
    (&["--ssl-cert-file"], "LLAMA_ARG_SSL_CERT_FILE", true, Use::TlsCert),
    (&["--media-path"], "", true, Use::Read),
    (&["--models-dir"], "LLAMA_ARG_MODELS_DIR", true, Use::Read),
    (&["--models-preset"], "LLAMA_ARG_MODELS_PRESET", true, Use::Presets),
    (&["--log-file"], "LLAMA_ARG_LOG_FILE", true, Use::WriteFile),
    (&["--slot-save-path"], "LLAMA_ARG_SLOT_SAVE_PATH", true, Use::WriteFolder),
    (&["--log-prompts-dir"], "", true, Use::MakeFolder),
    (&["-mu", "--model-url"], "LLAMA_ARG_MODEL_URL", true, Use::Url),
    (&["-dr", "--docker-repo"], "LLAMA_ARG_DOCKER_REPO", true, Use::Download),
    (&["-hf", "-hfr", "--hf-repo"], "LLAMA_ARG_HF_REPO", true, Use::Download),
    (&["--spec-draft-hf", "-hfd", "-hfrd", "--hf-repo-draft"], "LLAMA_ARG_SPEC_DRAFT_HF_REPO", true, Use::Download),
    (&["-mmu", "--mmproj-url"], "LLAMA_ARG_MMPROJ_URL", true, Use::Url),
    (&["--embd-gemma-default"], "", false, Use::Download),
    (&["--fim-qwen-1.5b-default"], "", false, Use::Download),
    (&["--fim-qwen-3b-default"], "", false, Use::Download),
    (&["--fim-qwen-7b-default"], "", false, Use::Download),
    (&["--fim-qwen-7b-spec"], "", false, Use::Download),
    (&["--fim-qwen-14b-spec"], "", false, Use::Download),
    (&["--fim-qwen-30b-default"], "", false, Use::Download),
    (&["--gpt-oss-20b-default"], "", false, Use::Download),
    (&["--gpt-oss-120b-default"], "", false, Use::Download),
    (&["--vision-gemma-4b-default"], "", false, Use::Download),
    (&["--vision-gemma-12b-default"], "", false, Use::Download),
    (&["--rpc"], "LLAMA_ARG_RPC", true, Use::Connect),
    (&["--ui-mcp-proxy", "--webui-mcp-proxy"], "LLAMA_ARG_UI_MCP_PROXY", false, Use::Connect),
    (&["--tools"], "LLAMA_ARG_TOOLS", true, Use::Programs),
    (&["--tools-runtime"], "LLAMA_ARG_TOOLS_RUNTIME", true, Use::Programs),
    (&["--mcp-servers-config"], "LLAMA_ARG_MCP_SERVERS_CONFIG", true, Use::Programs),
    (&["--mcp-servers-json"], "LLAMA_ARG_MCP_SERVERS_JSON", true, Use::Programs),
    (&["-ag", "--agent"], "LLAMA_ARG_AGENT", false, Use::Programs),
    (&["--video-ffmpeg-dir"], "LLAMA_ARG_VIDEO_FFMPEG_DIR", true, Use::Ffmpeg),
    (&["--host"], "LLAMA_ARG_HOST", true, Use::Host),
    (&["--port"], "LLAMA_ARG_PORT", true, Use::Port),
    (&["--list-devices"], "", false, Use::Devices),
    (&["-hff", "--hf-file"], "LLAMA_ARG_HF_FILE", true, Use::Nothing),
    (&["--offline"], "LLAMA_ARG_OFFLINE", false, Use::Nothing),
    (&["-cl", "--cache-list"], "", false, Use::Nothing),
    (&["--no-host"], "LLAMA_ARG_NO_HOST", false, Use::Nothing),
    (&["--op-offload", "--no-op-offload"], "", false, Use::Nothing),
    (&["-lm", "--load-mode"], "LLAMA_ARG_LOAD_MODE", true, Use::Nothing),
    (&["--grammar"], "", true, Use::Nothing),
    (&["-np", "--parallel"], "LLAMA_ARG_N_PARALLEL", true, Use::Nothing),
    (&["--mmproj-auto", "--no-mmproj", "--no-mmproj-auto"], "LLAMA_ARG_MMPROJ_AUTO", false, Use::Nothing),
    (&["--reuse-port"], "LLAMA_ARG_REUSE_PORT", false, Use::Nothing),
    (&["--cors-origins"], "LLAMA_ARG_CORS_ORIGINS", true, Use::Nothing),
    (&["--api-prefix"], "LLAMA_ARG_API_PREFIX", true, Use::Nothing),
    (&["--no-ui-mcp-proxy", "--no-webui-mcp-proxy"], "", false, Use::Nothing),
    (&["-no-ag", "--no-agent"], "", false, Use::Nothing),
    (&["-to", "--timeout"], "LLAMA_ARG_TIMEOUT", true, Use::Nothing),
    (&["--sse-ping-interval"], "LLAMA_ARG_SSE_PING_INTERVAL", true, Use::Nothing),
    (&["--models-max"], "LLAMA_ARG_MODELS_MAX", true, Use::Nothing),
    (&["--models-autoload", "--no-models-autoload"], "LLAMA_ARG_MODELS_AUTOLOAD", false, Use::Nothing),
    (&["--skip-chat-parsing", "--no-skip-chat-parsing"], "LLAMA_ARG_SKIP_CHAT_PARSING", false, Use::Nothing),
    (&["--sleep-idle-seconds"], "", true, Use::Nothing),
];
