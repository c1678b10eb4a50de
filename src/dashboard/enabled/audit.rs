//! Records who changed what on the dashboard, and from where.

use std::net::IpAddr;

use tracing::callsite::DefaultCallsite;
use tracing::field::Value;
use tracing::metadata::Kind;
use tracing::{Level, Metadata};

use super::guard::{PageClient, Proof};
use crate::access::Role;
use crate::logs::OwnLog;

/// The target of the records. They are kept whatever `log.level` is.
const TARGET: &str = "audit";
const FIELDS: &[&str] = &[
    "message", "action", "subject", "by", "role", "access", "client", "comment",
];

static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
static METADATA: Metadata<'static> = tracing::metadata! {
    name: "audit",
    target: TARGET,
    level: Level::INFO,
    fields: FIELDS,
    callsite: &CALLSITE,
    kind: Kind::EVENT,
};

/// Who asks for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requester {
    role: Role,
    /// What gave the client its access.
    access: &'static str,
    client: Option<IpAddr>,
}

impl Requester {
    pub(super) fn new(client: &PageClient, address: Option<IpAddr>) -> Self {
        Self {
            role: client.role,
            access: match client.proof {
                Proof::Open => "open",
                Proof::Host => "host",
                Proof::Bearer => "token",
                Proof::Session(_) => "session",
            },
            client: address,
        }
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditedChange<'a> {
    pub(super) action: &'static str,
    /// What was changed.
    pub(super) subject: &'a str,
    /// The name that the operator has given.
    pub(super) by: &'a str,
    pub(super) comment: &'a str,
}

/// Writes the record of a change.
pub(super) fn record(log: &OwnLog, who: &Requester, change: &AuditedChange<'_>) {
    let AuditedChange {
        action,
        subject,
        by,
        comment,
    } = change;
    let message = format!("{by}: {action} {subject}");
    let client = who.client.map(|address| address.to_canonical().to_string());
    let client = client.as_ref().map(|client| client as &dyn Value);
    let comment = (!comment.is_empty()).then_some(comment as &dyn Value);
    log.push(
        &METADATA,
        &[
            Some(&message),
            Some(action),
            Some(subject),
            Some(by),
            Some(&who.role.as_str()),
            Some(&who.access),
            client,
            comment,
        ],
    );
}
