//! Ending early and cleanly: one flag that every loop looks at and every wait can be woken by.
//! The first Ctrl-C ends the measured time and the report shows what was measured until then;
//! the second ends the process at once. Cheap to clone, owned by nobody.

use tokio::sync::watch;

/// Shared end signal. Once raised it stays raised.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    raise: std::sync::Arc<watch::Sender<bool>>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self {
            raise: std::sync::Arc::new(watch::Sender::new(false)),
        }
    }

    pub(crate) fn raise(&self) {
        self.raise.send_replace(true);
    }

    pub(crate) fn is_raised(&self) -> bool {
        *self.raise.borrow()
    }

    /// Returns when the signal is raised, at once if it was before.
    pub(crate) async fn raised(&self) {
        let mut seen = self.raise.subscribe();
        // An error means that every sender is gone; this value holds one, so there is none.
        let _ = seen.wait_for(|raised| *raised).await;
    }

    /// Raises the signal at the first Ctrl-C and exits at the second.
    pub(crate) async fn on_interrupt(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        eprintln!("ringflow-perf: ending; press again to abort");
        self.raise();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_waiter_sees_an_early_stop() {
        let stop = Stop::new();
        assert!(!stop.is_raised());
        stop.clone().raise();
        stop.raised().await;
        assert!(stop.is_raised());
    }
}
