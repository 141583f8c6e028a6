//! The congestion control of media connections: none that follows loss.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory};

/// A window that stays as it is.
///
/// Voice offers the same load whatever the window says: one below the load only makes it wait and then dropped at the
/// sender, for all calls of the link and for long, because voice never fills a window and so rarely opens it again. (CUBIC
/// starts at 12 kB and halves at a loss; BBR costs the same CPU and had ten times the tail delay in our measurements.)
/// What bounds the load is the admission of calls. The window is for the path that went dead: it ends the sending after
/// what is under way in one long round trip, and the idle time-out ends the connection.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    window: u64,
}

impl Steady {
    pub fn new(window: u64) -> Self {
        Self { window }
    }
}

impl Controller for Steady {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        self.window
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        self.window
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl ControllerFactory for Steady {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(*self)
    }
}
