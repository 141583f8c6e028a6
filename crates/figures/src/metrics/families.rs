//! Metric families made at a scrape. They are not kept as gauges: a queue, campaign or relay that is gone must leave the
//! text too.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use super::scrape::Distribution;

/// What one scrape reads.
#[derive(Default)]
pub struct Families(Vec<MetricFamily>);

/// One value and its labels, in their order.
pub struct Sample {
    labels: Vec<LabelPair>,
    value: f64,
}

impl Sample {
    /// Labels are name and value.
    pub fn new(labels: &[(&str, &str)], value: f64) -> Self {
        let pair = |(name, value): &(&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        Self { labels: labels.iter().map(pair).collect(), value }
    }
}

impl Families {
    pub(super) fn new(families: Vec<MetricFamily>) -> Self {
        Self(families)
    }

    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample>) {
        let metric = |sample: Sample| {
            let mut gauge = Gauge::default();
            gauge.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_gauge(gauge);
            metric
        };
        self.push(name, help, MetricType::GAUGE, samples.into_iter().map(metric).collect());
    }

    /// A value that only goes up, while the process or the campaign it counts for is there.
    pub fn counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample>) {
        let metric = |sample: Sample| {
            let mut counter = Counter::default();
            counter.set_value(sample.value);
            let mut metric = Metric::from_label(sample.labels);
            metric.set_counter(counter);
            metric
        };
        self.push(name, help, MetricType::COUNTER, samples.into_iter().map(metric).collect());
    }

    /// How long something took, counted elsewhere.
    pub fn histogram(&mut self, name: &str, help: &str, of: &Distribution<'_>) {
        let mut sum = 0;
        let bucket = |(bound, count): (&u64, &u64)| {
            sum += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e6);
            bucket.set_cumulative_count(sum);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(of.bounds_us.iter().zip(of.counts).map(bucket).collect());
        histogram.set_sample_count(of.counts.iter().sum());
        histogram.set_sample_sum(of.sum_us as f64 / 1e6);
        let mut metric = Metric::from_label(Vec::new());
        metric.set_histogram(histogram);
        self.push(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    /// A family without a sample says nothing, and the encoder refuses it.
    fn push(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        debug_assert!(self.0.iter().all(|family| family.name() != name), "{name} is there already");
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }

    /// The text format that Prometheus scrapes, version 0.0.4.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to memory fails only on families without name or sample, and there are none.
        let encoded = TextEncoder::new().encode(&self.0, &mut bytes);
        debug_assert!(encoded.is_ok(), "{encoded:?}");
        String::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_exposition_format() {
        let mut families = Families::default();
        families.gauge("a_seconds", "How long.", [Sample::new(&[("z", "1"), ("b", "q\"\\\n")], 0.25)]);
        families.counter("b_total", "How many.", [Sample::new(&[], 3.0)]);
        families.gauge("c", "Nobody has one.", []);
        let samples = Distribution { bounds_us: &[50, 100_000], counts: &[1, 0, 2], sum_us: 1_500_000 };
        families.histogram("d_seconds", "How long each.", &samples);
        let text = "# HELP a_seconds How long.\n# TYPE a_seconds gauge\na_seconds{z=\"1\",b=\"q\\\"\\\\\\n\"} 0.25\n\
                    # HELP b_total How many.\n# TYPE b_total counter\nb_total 3\n\
                    # HELP d_seconds How long each.\n# TYPE d_seconds histogram\n\
                    d_seconds_bucket{le=\"0.00005\"} 1\nd_seconds_bucket{le=\"0.1\"} 1\n\
                    d_seconds_bucket{le=\"+Inf\"} 3\nd_seconds_sum 1.5\nd_seconds_count 3\n";
        assert_eq!(families.text(), text);
    }
}
