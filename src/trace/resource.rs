use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::model::TraceId;
use crate::semconv;

/// The identity of the service, from the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceIdentity<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) instance: Option<&'a str>,
    /// The attributes of `OTEL_RESOURCE_ATTRIBUTES`, which can have any key. They override detected attributes, and the
    /// fields above override them.
    pub(crate) attributes: &'a [(String, String)],
}

/// Returns the resource of all spans of this process. If no instance name is set, a random one is generated.
pub(crate) fn resource(origin: &ServiceIdentity<'_>) -> Resource {
    // If a key occurs twice, the later one wins. The order is: detected, set by the host, set in the settings.
    let mut all = vec![KeyValue::new("process.pid", i64::from(std::process::id()))];
    all.extend(host_name().map(|name| KeyValue::new("host.name", name)));
    let free = origin.attributes.iter();
    all.extend(free.map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
    let mut say = |key, value: Option<&str>| {
        all.extend(value.map(|value| KeyValue::new(key, value.to_owned())));
    };
    say("service.name", Some(origin.name));
    say("service.version", origin.version);
    say("deployment.environment.name", origin.environment);
    say(
        "service.instance.id",
        Some(origin.instance.unwrap_or(&made_up_instance())),
    );
    say("telemetry.sdk.name", Some(env!("CARGO_PKG_NAME")));
    say("telemetry.sdk.language", Some("rust"));
    say("telemetry.sdk.version", Some(env!("CARGO_PKG_VERSION")));
    Resource::builder_empty()
        .with_schema_url(all, semconv::SCHEMA_URL)
        .build()
}

/// Returns a random UUID.
fn made_up_instance() -> String {
    let [high, low] = [
        TraceId::random().to_u128() >> 64,
        TraceId::random().to_u128() >> 64,
    ];
    // Version 4, variant 1.
    let id = (high << 64 | low) & !(0xf << 76) | 4 << 76;
    let id = id & !(3 << 62) | 2 << 62;
    let text = format!("{id:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts: Vec<_> = parts
        .into_iter()
        .filter_map(|part| text.get(part))
        .collect();
    parts.join("-")
}

/// Returns the host name, if the system provides it in a file.
fn host_name() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"))?;
    let name = name.trim();
    (!name.is_empty() && name.len() <= 255).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use opentelemetry::{Key, Value};

    use super::*;

    #[test]
    fn attributes_overrule_what_is_detected() {
        let attributes = [
            "host.name",
            "process.pid",
            "service.name",
            "telemetry.sdk.name",
        ];
        let attributes = attributes.map(|key| (key.to_owned(), "given".to_owned()));
        let resource = resource(&ServiceIdentity {
            name: "shop",
            version: None,
            environment: None,
            instance: None,
            attributes: &attributes,
        });
        for (key, value) in [
            ("host.name", "given"),
            ("process.pid", "given"),
            ("service.name", "shop"),
            ("telemetry.sdk.name", env!("CARGO_PKG_NAME")),
        ] {
            let got = resource.get(&Key::from_static_str(key));
            assert_eq!(got, Some(Value::from(value)), "{key}");
        }
    }

    #[test]
    fn settings_overrule_attributes_that_are_free() {
        let attributes = [
            ("service.name".to_owned(), "other".to_owned()),
            ("team".to_owned(), "red".to_owned()),
            ("team".to_owned(), "blue".to_owned()),
        ];
        let resource = resource(&ServiceIdentity {
            name: "shop",
            version: Some("1.2"),
            environment: None,
            instance: None,
            attributes: &attributes,
        });
        let get = |key| resource.get(&Key::from_static_str(key));
        assert_eq!(resource.schema_url(), Some(semconv::SCHEMA_URL));
        assert_eq!(get("service.name"), Some(Value::from("shop")));
        assert_eq!(get("service.version"), Some(Value::from("1.2")));
        assert_eq!(get("deployment.environment.name"), None);
        assert_eq!(get("team"), Some(Value::from("blue")));
        let pid = i64::from(std::process::id());
        assert_eq!(get("process.pid"), Some(Value::from(pid)));
        let instance = get("service.instance.id").unwrap().to_string();
        let shape: Vec<_> = instance.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12]);
        assert_eq!(instance.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&instance.as_bytes()[19]));
        assert_ne!(instance, made_up_instance());
    }
}
