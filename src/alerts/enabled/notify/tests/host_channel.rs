//! Channels of the host.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::super::channel::{Channel, DeliveryFuture, RefusedRecipients};
use super::super::notification::Notification;
use super::super::notifier::{Notifier, NotifierSetup};
use super::*;
use crate::clock::Clock;
use crate::model::Diagnostics;

/// Counts how often it is asked.
#[derive(Default)]
struct AskedChannel {
    asked: Arc<AtomicU64>,
    ids: Arc<Mutex<Vec<String>>>,
}

impl Channel for AskedChannel {
    fn name(&self) -> &'static str {
        "asked"
    }

    fn refused_recipients(&self) -> RefusedRecipients {
        let mut refused = RefusedRecipients::default();
        refused.add(self.asked.fetch_add(1, SeqCst) + 1, "gone");
        refused
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        self.ids.lock().unwrap().push(notification.id.clone());
        Box::pin(async { Ok(()) })
    }
}

fn notifier(service: &str) -> Notifier {
    notifier_in(service, None)
}

fn notifier_in(service: &str, directory: Option<PathBuf>) -> Notifier {
    Notifier::new(NotifierSetup {
        service: service.to_owned(),
        environment: None,
        dashboard_url: None,
        group_wait: Duration::ZERO,
        group_interval: Duration::ZERO,
        interval: Duration::from_secs(15),
        directory,
        clock: Clock::driven(Duration::from_millis(START)),
        diagnostics: Arc::new(Diagnostics::default()),
    })
}

#[test]
fn a_status_runs_no_code_of_the_host() {
    let notifier = notifier("shop");
    let channel = AskedChannel::default();
    let asked = Arc::clone(&channel.asked);
    notifier.add(Arc::new(channel), false).unwrap();
    let refused = || notifier.status().unwrap().remove(0).refused_recipients;
    assert_eq!((refused().count, asked.load(SeqCst)), (0, 0));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for attempts in 1..=2 {
        let new = announcement(attempts, attempts, AnnouncementKind::First);
        notifier.offer(&new, false);
        assert_eq!(notifier.run_for_test(runtime.handle()), 1);
        for _ in 0..3 {
            assert_eq!((refused().count, asked.load(SeqCst)), (attempts, attempts));
        }
        assert_eq!(refused().last.as_deref(), Some("gone"));
    }
}

#[test]
fn tests_of_two_services_at_the_same_time_have_different_keys() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(START);
    let id = |service: &str| {
        let notifier = notifier(service);
        let channel = AskedChannel::default();
        let ids = Arc::clone(&channel.ids);
        notifier.add(Arc::new(channel), false).unwrap();
        let result = notifier.test("asked", now).unwrap();
        runtime.block_on(async {
            notifier.tick();
            result.await.unwrap().unwrap();
        });
        ids.lock().unwrap().remove(0)
    };
    let (one, other) = (id("shop"), id("billing"));
    assert!(one.starts_with("test-"), "{one}");
    assert_ne!(one, other);
}

#[test]
fn what_is_stored_is_known_while_there_is_always_something_new() {
    let directory = tempfile::tempdir().unwrap();
    let notifier = notifier_in("shop", Some(directory.path().to_owned()));
    notifier
        .add(Arc::new(AskedChannel::default()), false)
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let offer = |number| {
        notifier.offer(
            &announcement(number, number, AnnouncementKind::First),
            false,
        );
    };
    offer(1);
    assert_eq!(notifier.stored_through(), 0);
    for number in 2..5 {
        // Each time, one more is there before all are on disk.
        notifier.run_for_test(runtime.handle());
        offer(number);
        assert_eq!(notifier.stored_through(), number - 1);
    }
    assert!(notifier.finish());
    assert_eq!(notifier.stored_through(), 4);
}
