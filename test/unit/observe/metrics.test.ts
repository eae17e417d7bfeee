import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { METRICS } from "../../../src/observe/metric-names.ts";
import { type MetricReaders, type Sample, createMetrics, metricNames } from "../../../src/observe/metrics.ts";
import { BUCKETS, TimeCounts } from "../../../src/observe/time-counts.ts";
import { TRACKED_STEPS } from "../../../src/observe/tracking-line.ts";

const page = readFileSync("docs/operating.md", "utf8");

describe("docs/operating.md", () => {
  test.each(Object.entries(METRICS))("says of %s what the code says", (name, { kind, labels, help }) => {
    const named = labels.map((label) => `\`${label}\``).join(", ");
    expect(page).toContain(`| \`${name}\` | ${kind} | ${named} | ${help} |`);
  });

  test("lists no metric that is not there", () => {
    const listed = [...page.matchAll(/^\| `((?:onarrival|process)_\w+)` \|/gm)].map((match) => match[1]);
    expect(listed).toEqual(metricNames());
  });

  test.each(Object.entries(TRACKED_STEPS))(
    "says of the step %s what the code says",
    (step, { event, meaning }) => {
      expect(page).toContain(`| ${event} | \`${step}\` | ${meaning} |`);
    },
  );
});

describe("the text of the metrics", () => {
  const times = new TimeCounts();
  const none = (): readonly Sample[] => [];
  const readersWith = (more: Partial<MetricReaders>): MetricReaders =>
    ({ ...Object.fromEntries(metricNames().map((name) => [name, none])), ...more }) as MetricReaders;

  test("is read anew at each scrape", async () => {
    let value = 1;
    const metrics = createMetrics(readersWith({ onarrival_messages: () => [{ value: value++ }] }));
    expect(await metrics.text()).toMatch(/^onarrival_messages 1$/m);
    expect(await metrics.text()).toMatch(/^onarrival_messages 2$/m);
  });

  test("forgets labels that are no longer told, and escapes those of strangers", async () => {
    let queue = 'evil"\n.test';
    const metrics = createMetrics(
      readersWith({ onarrival_destination_messages: () => [{ value: 3, labels: { queue } }] }),
    );
    expect(await metrics.text()).toContain('onarrival_destination_messages{queue="evil\\"\\n.test"} 3');
    queue = "other.test";
    const text = await metrics.text();
    expect(text).toContain('onarrival_destination_messages{queue="other.test"} 3');
    expect(text).not.toContain("evil");
  });

  test("adds up the buckets of a histogram", async () => {
    for (const micros of [5, 10, 11, 2_000_000, 90_000_000]) times.add(micros);
    const labels = { binding: "Disclaimer", kind: "native" };
    const metrics = createMetrics(readersWith({ onarrival_sink_seconds: () => [{ times, labels }] }));
    const lines = (await metrics.text())
      .split("\n")
      .filter((line) => line.startsWith("onarrival_sink_seconds"));
    const bucket = (le: string): string | undefined =>
      lines.find((line) => line.includes(`le="${le}"`))?.replace(/.*\} /, "");
    expect([bucket("0.00001"), bucket("0.00003"), bucket("1"), bucket("3"), bucket("+Inf")]).toEqual([
      "2",
      "3",
      "3",
      "4",
      "5",
    ]);
    expect(lines).toContain('onarrival_sink_seconds_count{binding="Disclaimer",kind="native"} 5');
    expect(lines).toContain('onarrival_sink_seconds_sum{binding="Disclaimer",kind="native"} 92.000026');
    expect(lines).toHaveLength(BUCKETS.length + 3);
  });
});
