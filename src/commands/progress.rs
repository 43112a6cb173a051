//! Progress of reading layers: bars on a terminal, one line per layer in a job log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::info;

use crate::cli::OutputArgs;
use crate::image::Progress;
use crate::model::Layer;

use super::terminal;

/// Follows the reading of one image's layers.
pub(super) struct Reading {
    layers: Vec<LayerProgress>,
    bars: Option<MultiProgress>,
    started: Instant,
    lines: bool,
}

struct LayerProgress {
    label: String,
    size: u64,
    read: AtomicU64,
    bar: Option<ProgressBar>,
}

impl Reading {
    pub(super) fn start(layers: &[Layer], output: &OutputArgs) -> Self {
        let terminal = terminal::is_stderr_terminal();
        let bars = (terminal && !output.quiet && layers.len() <= MOST_BARS)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        let layers = layers.iter().enumerate().map(|(index, layer)| {
            let digest = layer.digest.as_ref().map_or("-", |digest| digest.short());
            let bar = bars.as_ref().map(|bars| {
                let style = ProgressStyle::with_template(
                    "  {prefix} {bar:30} {bytes:>10} of {total_bytes:<10} {binary_bytes_per_sec}",
                );
                let bar = bars.add(ProgressBar::new(layer.size));
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix(digest.to_owned());
                bar
            });
            LayerProgress {
                label: format!("layer {} ({digest})", index + 1),
                size: layer.size,
                read: AtomicU64::new(0),
                bar,
            }
        });
        Self { layers: layers.collect(), bars, started: Instant::now(), lines: !terminal }
    }

    /// Takes the bars away.
    pub(super) fn finish(self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

impl Progress for Reading {
    fn read(&self, layer: usize, bytes: u64) {
        let Some(progress) = self.layers.get(layer) else { return };
        if let Some(bar) = &progress.bar {
            bar.inc(bytes);
        }
        let before = progress.read.fetch_add(bytes, Ordering::Relaxed);
        let complete = before < progress.size && before + bytes >= progress.size;
        if self.lines && complete && progress.size > 0 {
            let (read, seconds) = (megabytes(progress.size), self.started.elapsed().as_secs_f64());
            info!("{} of {}: {read} read after {seconds:.1} s", progress.label, self.layers.len());
        }
    }
}

fn megabytes(bytes: u64) -> String {
    if bytes < 100_000 {
        format!("{bytes} bytes")
    } else {
        format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
    }
}

/// More layers than this are not drawn one by one.
const MOST_BARS: usize = 30;
