/** Proves that the dashboard and the alert rules speak of figures that exist. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { renderPrometheus } from "../../src/queue/prometheus.ts";
import { STATES } from "../../src/job/state.ts";
import type { MetricSum, StateCounts } from "../../src/store/store.ts";

const read = (name: string) =>
  Deno.readTextFileSync(fileURLToPath(new URL(`monitoring/${name}`, import.meta.url)));

/** Every name of a sample on the page, with its labels. */
function samples(): Map<string, Set<string>> {
  const counts = Object.fromEntries(STATES.map((state) => [state, 1])) as StateCounts;
  const throughput = { added: 1, completed: 1, failedAttempts: 1, dead: 1, cancelled: 1 };
  const sum = (name: MetricSum["name"], part: string) => ({ name, label: "a", part, value: 1 });
  const page = renderPrometheus({
    stats: {
      counts,
      queues: [{
        queue: "a",
        counts,
        rules: { pausedAtMs: null, maxRunning: null, rate: null, keyMaxRunning: null },
        oldestReadyAtMs: 0,
      }],
      lastMinute: throughput,
      lastHour: throughput,
      oldestReadyAtMs: 0,
    },
    workers: [],
    sums: [
      sum("job_wait_seconds", "1"),
      sum("job_duration_seconds", "1"),
      sum("jobs_completed_total", ""),
      sum("jobs_failed_total", ""),
      sum("worker_restarts_total", ""),
    ],
    process: {
      version: "1",
      denoVersion: "2",
      residentBytes: 1,
      cpuSeconds: 1,
      openDescriptors: 1,
      startedAtMs: 0,
    },
    nowMs: 1_000,
  });
  const found = new Map<string, Set<string>>();
  for (const [, name, labels = ""] of page.matchAll(/^(\w+)(?:\{([^}]*)\})? /gm)) {
    const names = found.get(name!) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) names.add(label!);
    found.set(name!, names);
  }
  return found;
}

function assertKnown(expressions: readonly string[]): void {
  const known = samples();
  for (const expression of expressions) {
    const names = [...expression.matchAll(/\b(?:queuectl|process)_\w+/g)].map(([name]) => name);
    assert.ok(names.length > 0, expression);
    for (const name of names) assert.ok(known.has(name), `${name} in ${expression}`);
    for (const [, name, labels] of expression.matchAll(/(\w+)\{([^}]*)\}/g)) {
      for (const [, label] of labels!.matchAll(/(\w+)\s*(?:=~|!=|=)/g)) {
        assert.ok(known.get(name!)!.has(label!), `${label} of ${name} in ${expression}`);
      }
    }
  }
}

Deno.test("every panel of the dashboard shows figures that /metrics has", () => {
  const dashboard = JSON.parse(read("grafana.json"));
  const targets = dashboard.panels.flatMap((panel: { targets: { expr: string }[] }) =>
    panel.targets
  );
  assert.ok(targets.length > 10);
  assertKnown(targets.map(({ expr }: { expr: string }) => expr));
});

Deno.test("every alert rule speaks of figures that /metrics has", () => {
  const rules = read("alerts.yml").split(/^ {6}- alert: /m).slice(1);
  assert.ok(rules.length >= 5);
  assertKnown(rules.map((rule) => {
    const expression = /^ {8}expr: (?:>\n)?([\s\S]*?)(?=^ {8}\w+:)/m.exec(rule)?.[1];
    assert.ok(expression !== undefined, rule);
    return expression;
  }));
});
