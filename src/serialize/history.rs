use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::forms::{Map, Millis, OptionalTime, Time};
use crate::anomaly::{
    Anomaly, AnomalyEpisode, AnomalyKind, AnomalyState, NormalBand, OddSeries, WatchedFigure,
    WatchedSeries,
};
use crate::history::{Marker, MarkerKind, MetricInfo, MetricKind, Point, ResultSeries};
use crate::summary::{
    ContentFigures, HostFigure, PeriodFigures, PoolFigures, ProcessFigures, QuotaFigures,
    RequestFigures, Summary, TimeFigures,
};

as_struct!(ResultSeries { points } with { labels: Map as "labels" });

as_name!(MetricKind);
as_struct!(MetricInfo { name, kind, series });

as_name!(MarkerKind);
as_struct!(Marker {
    kind, text, is_new_version, was_interrupted,
} with {
    time: Time as "time",
});

/// Most points have neither an anomaly nor a gap, which are left out.
impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            at,
            value,
            is_anomaly,
            has_gap,
        } = self;
        let flags = [("is_anomaly", *is_anomaly), ("has_gap", *has_gap)];
        let set = flags.iter().filter(|(_, is_set)| *is_set).count();
        let mut point = serializer.serialize_struct("Point", 2 + set)?;
        point.serialize_field("at", &Time(at))?;
        point.serialize_field("value", value)?;
        for (name, is_set) in flags {
            if is_set {
                point.serialize_field(name, &true)?;
            } else {
                point.skip_field(name)?;
            }
        }
        point.end()
    }
}

as_struct!(Summary {
    period,
    before,
    active_users,
    health
});
as_struct!(PeriodFigures {
    requests, content, active_users, process, pools, quotas, figures,
} with {
    start: Time as "start",
    end: Time as "end",
    data_from: OptionalTime as "data_from",
    covered: Millis as "covered_ms",
});
as_struct!(RequestFigures {
    count,
    per_second,
    errors,
    error_rate,
    client_errors,
    cancelled,
    response_time,
    time_to_headers,
});
as_struct!(TimeFigures {} with {
    mean: Millis as "mean_ms",
    p50: Millis as "p50_ms",
    p95: Millis as "p95_ms",
    p99: Millis as "p99_ms",
});
as_struct!(ContentFigures {
    generated,
    failures,
    generation_time
});
as_struct!(ProcessFigures {
    cpu,
    cpu_max,
    memory,
    memory_max,
    memory_utilization,
    memory_utilization_max,
});
as_struct!(PoolFigures {
    pool,
    used,
    used_max,
    limit
});
as_struct!(QuotaFigures {
    service,
    window,
    used_ratio,
    used_ratio_max
});
as_struct!(HostFigure { name, value });

as_name!(AnomalyKind, AnomalyState);
as_struct!(Anomaly {
    number, episode, state, metric, figure, name, value, expected, lower, upper, score, upward, kind, hour_of_week, traces,
    sentence,
} with {
    labels: Map as "labels",
    since: Time as "since",
    until: OptionalTime as "until",
});
as_struct!(OddSeries { metric, name, score, anomaly } with {
    labels: Map as "labels",
    since: Time as "since",
    until: OptionalTime as "until",
});
as_struct!(AnomalyEpisode { number, members } with {
    since: Time as "since",
    until: OptionalTime as "until",
});
as_struct!(NormalBand { expected, lower, upper } with { at: Time as "at" });
as_struct!(WatchedSeries {
    metric, figure, name, value, expected, lower, upper, score, learning, anomalous, bands,
} with {
    labels: Map as "labels",
    at: Time as "at",
});

/// `value`, `rate`, `share`, or a quantile such as `p95`.
impl Serialize for WatchedFigure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
