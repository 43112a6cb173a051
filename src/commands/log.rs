//! The log on standard error, in the form of GitLab's analyzers: `[INFO] …`, `[WARN] …`, `[ERRO] …`.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

use crate::cli::OutputArgs;
use crate::context::Environment;
use crate::model::{Code, Diagnosis};

use super::terminal;

/// Starts the log. Precedence: `--log-level`, `PLIMSOLL_LOG_LEVEL`, `SECURE_LOG_LEVEL`, info.
pub(super) fn start(output: &OutputArgs, environment: &Environment) -> Result<(), Diagnosis> {
    let named = [
        ("--log-level", output.log_level.as_deref()),
        ("PLIMSOLL_LOG_LEVEL", environment.get("PLIMSOLL_LOG_LEVEL")),
        ("SECURE_LOG_LEVEL", environment.get("SECURE_LOG_LEVEL")),
    ];
    let level = match named.into_iter().find_map(|(origin, value)| Some((origin, value?))) {
        Some((origin, value)) => level(value).ok_or_else(|| {
            let what = format!("{origin} is `{value}`");
            Diagnosis::new(Code::InvalidInput, what, "this is not a log level", "use error, warn, info, debug or trace")
        })?,
        None if output.quiet => LevelFilter::WARN,
        None => LevelFilter::INFO,
    };
    let colored = terminal::colored(output.color, environment, terminal::is_stderr_terminal());
    // Below debug, libraries would write request headers; only our own events are let through.
    let own = filter::Targets::new().with_target("plimsoll", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colored).event_format(Format);
    // A second start happens only when a test calls `run` twice in a process; the first log stays.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(own)));
    Ok(())
}

fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "fatal" | "error" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        "off" => LevelFilter::OFF,
        _ => return None,
    })
}

struct Format;

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (label, style) = match *event.metadata().level() {
            Level::ERROR => ("ERRO", anstyle::AnsiColor::Red),
            Level::WARN => ("WARN", anstyle::AnsiColor::Yellow),
            Level::INFO => ("INFO", anstyle::AnsiColor::Green),
            Level::DEBUG => ("DEBU", anstyle::AnsiColor::Cyan),
            Level::TRACE => ("TRAC", anstyle::AnsiColor::BrightBlack),
        };
        if writer.has_ansi_escapes() {
            let style = style.on_default();
            write!(writer, "{style}[{label}]{style:#} ")?;
        } else {
            write!(writer, "[{label}] ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
